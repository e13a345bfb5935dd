/**
 * passes-in-turn: a client may pass a lock on to those of its own callers alone that stand directly behind in line, with one token for each of
 * them, and that asked before all others of whom their node can know (protocol.md section 15.5). For that an arbiter says in a Grant who
 * waits for the vote already: the oldest of them.
 * In `calm` runs nobody is overtaken so that asked in time to be heard of. Else it looks at the Grants that a node was sent, and at the
 * clock that the node had when a caller asked, which is below its timestamp.
 */
import { isCompatible } from '../../src/core';
import type { CallerId, Event, LamportTime, Message, NodeId, RequestId } from '../../src/core';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks, clientOf, clockOf } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, EventOf, Performed, Witness } from './witness';

type Grant = Extract<Message, { readonly kind: 'grant' }>;

/** Of one node and lock: its request, and the newest Grant of each arbiter that it did not ignore. */
interface Request {
  timestamp: LamportTime;
  keep: boolean;
  readonly grants: Map<NodeId, Grant>;
}

export class PassesInTurn implements Witness {
  private readonly requests: OfNodesAndLocks<Request>;
  /** By machine and caller: the clock of its node before it asked. */
  private readonly clocks: readonly Map<CallerId, LamportTime>[];
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Message } | null = null;

  /** The clock of its node after each caller asked: no less than its timestamp. */
  private readonly askedAt = new Map<number, LamportTime>();
  private asking: number | null = null;
  /** Nobody stands in line behind a thief that asked later. */
  private readonly isCalm: boolean;
  private readonly underWayUs: number;

  constructor(private readonly scene: Scene, plan: Plan) {
    this.isCalm = plan.profile === 'calm' && plan.intensities.steal === 0;
    // A Request, and what may stand before it on its way.
    this.underWayUs = 4 * plan.network.delayUs;
    this.requests = new OfNodesAndLocks(scene, () => ({ timestamp: 0, keep: false, grants: new Map<NodeId, Grant>() }));
    this.clocks = scene.places.map(() => new Map<CallerId, LamportTime>());
  }

  started(machine: number): void {
    for (const request of this.requests.ofNode(machine)) request.timestamp = 0;
    this.clocks[machine]?.clear();
  }

  /** Those that asked before their node took part get their timestamps then. */
  joined(machine: number): void {
    const clocks = this.clocks[machine];
    if (clocks === undefined) return;
    const clock = clockOf(this.scene, machine);
    for (const [caller, before] of clocks) if (before < clock) clocks.delete(caller);
  }

  asked({ machine, index }: CallerView, { caller, client }: EventOf<'acquire'>): void {
    this.asking = index;
    if (client !== undefined) this.clocks[machine.index]?.set(caller, clockOf(this.scene, machine.index));
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    this.handled = message.kind === 'grant' ? { from, to, lock, message } : null;
  }

  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message === this.handled?.message) this.handled = null;
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    // What waited for the disk was said before.
    if (message.kind === 'grant' && cause.kind !== 'ceilingReserved') this.judgeGrant(from, to, lock, message, cause);
    if (message.kind !== 'request') return;
    const request = this.requests.of(from, lock);
    if (message.timestamp > request.timestamp) request.grants.clear();
    if (message.timestamp < request.timestamp) return;
    request.timestamp = message.timestamp;
    request.keep = message.keep;
  }

  stepped(machine: number, event: Event): void {
    this.count();
    this.handled = null;
    if (this.asking !== null) this.askedAt.set(this.asking, clockOf(this.scene, machine));
    this.asking = null;
    if (event.kind === 'release') this.clocks[machine]?.delete(event.caller);
  }

  entered({ machine, lock, caller, hold, roomUntil, passTo, requester }: Entry): void {
    this.count();
    if (passTo.length === 0 || requester?.state !== 'held') return;
    const name = `${this.scene.nodeIds[machine]} caller ${caller.id}`;
    const wrong = (what: string): void => violated('passes-in-turn', `${name} may pass lock ${this.scene.locks[lock]} on to ${passTo.join(', ')}: ${what}`);
    if (roomUntil !== hold.token + passTo.length) wrong(`it has tokens up to ${String(roomUntil)}, from ${hold.token} on`);
    const { waitingCallers, contended } = requester;
    if (passTo.some((id, place) => waitingCallers[place] !== id)) wrong(`in line are ${waitingCallers.join(', ')}`);
    const client = clientOf(caller);
    for (const id of passTo) {
      const next = caller.machine.callers.find((each) => each.id === id);
      if (next === undefined || client === null || clientOf(next) !== client) wrong(`${id} is of another client`);
    }
    if (this.isCalm) this.judgeTruth(machine, lock, passTo, wrong);
    const { timestamp, keep, grants } = this.requests.of(machine, lock);
    if (timestamp !== requester.request.timestamp) return;
    for (const arbiter of requester.granted) {
      const grant = grants.get(arbiter);
      if (grant === undefined) continue;
      const said = grant.contenderTimestamp ?? (grant.contended ? 0 : Infinity);
      // Whoever keeps its votes hears at once of others that come later.
      const before = keep && !contended ? said : Math.min(said, grant.clock);
      const late = passTo.find((id) => (this.clocks[machine]?.get(id) ?? -Infinity) >= before);
      if (late !== undefined) wrong(`${arbiter} knew of a request ${before} when it granted, or could not know yet of one; ${late} asked after that`);
    }
  }

  /** Nobody at another node waits that asked before, by the timestamps, unless so lately that its word may be under way. */
  private judgeTruth(machine: number, lock: number, passTo: readonly CallerId[], wrong: (what: string) => void): void {
    const { callers, nowUs } = this.scene;
    for (const other of callers) {
      if (other.machine.index === machine || other.state !== 'waiting' || other.lock !== lock || nowUs - other.askedAtUs < this.underWayUs) continue;
      const asked = this.askedAt.get(other.index);
      const overtaken = asked === undefined ? undefined : passTo.find((id) => (this.clocks[machine]?.get(id) ?? -Infinity) >= asked);
      if (overtaken !== undefined) wrong(`${this.scene.nodeIds[other.machine.index]} caller ${other.id} asked before ${overtaken}, ${nowUs - other.askedAtUs} us ago`);
    }
  }

  /** Of the vote of an exclusive request, as the queue is once all of this event is done. */
  private judgeGrant(from: number, to: number, lock: number, { timestamp, grant, contenderTimestamp = Infinity }: Grant, cause: Event): void {
    const view = this.scene.inspect(from, lock);
    const { nodeIds, locks } = this.scene;
    const lent = view?.grants.find((each) => each.grant === grant && each.request.timestamp === timestamp && each.request.node === nodeIds[to]);
    if (view === null || lent === undefined) return;
    const waiting = view.queue.filter(({ mode }) => !isCompatible(mode, lent.mode)).map(({ request }) => request);
    // These may have come in this very event, after the vote was lent.
    const isNew = ({ node, timestamp: each }: RequestId): boolean => node === nodeIds[from] || (cause.kind === 'message' && cause.from === node && cause.message.timestamp === each);
    const oldest = Math.min(...waiting.filter((each) => !isNew(each)).map(({ timestamp: each }) => each));
    // It may say less: of one that its own node, or the one that freed the vote, is about to ask for.
    if (contenderTimestamp <= oldest) return;
    violated('passes-in-turn', `${nodeIds[from]} lends its vote for lock ${locks[lock]} to ${nodeIds[to]} and says that ${contenderTimestamp} waits for it; the oldest that does is ${oldest}`);
  }

  /** What was just heard, unless the node ignored it. */
  private count(): void {
    const { handled } = this;
    if (handled?.message.kind !== 'grant') return;
    const { from, to, lock, message } = handled;
    const request = this.requests.of(to, lock);
    if (message.timestamp === request.timestamp) request.grants.set(this.scene.nodeIds[from] ?? '', message);
  }
}
