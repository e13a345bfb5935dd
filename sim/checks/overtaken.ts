/**
 * overtaken: with faults, too, requests are served by the time of asking as far as that can be known (protocol.md section 6.10).
 * - An arbiter lends its vote to no younger request while it knows an older one that conflicts with it: from the first Request of that until its
 *   Release, until it heard nothing of it for a lease, or until it dies itself.
 * - Nobody gives a vote back for a younger request, or enters by a vote that was lent past an older request in this way. So what overtakes a request that a quorum knows has a vote from before.
 * - A request is younger than all that its node had heard of when its caller asked. So who asks after its node heard of an older one goes after that.
 * Must never look into the core, but for the numbers of the grants that somebody enters by, and for who is the first in line.
 */
import { REQUESTS_OF_A_NODE_MAX } from '../../src/core/arbiter';
import { claimOf, doesHold, doesSteal, hasPriority, isCompatible } from '../../src/core';
import type { CallerId, Contender, Event, LamportTime, Message, Mode, NodeId } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks, clockOf, keyOf } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, EventOf, Performed, Witness } from './witness';

/** A request that an arbiter has heard of. */
interface Known extends Contender {
  readonly mode: Mode;
  /** Its caller is inside, or was. */
  holds: boolean;
  /** The arbiter's clock when it had heard of it first: what it lent before has no higher number. */
  readonly sinceClock: LamportTime;
  /** In the arbiter's time. */
  heardAtMs: number;
}

/** What one node has heard in this life. */
interface Heard {
  leaseMs: number;
  /** The highest clock that came with a message, or a handshake. */
  clock: LamportTime;
  /** By caller: what that was when it asked. */
  readonly whenAsked: Map<CallerId, LamportTime>;
}

export class Overtaken implements Witness {
  /** Of each arbiter and lock, by node and timestamp. */
  private readonly known: OfNodesAndLocks<Map<string, Known>>;
  private readonly heard: readonly Heard[];
  /** By node and lock: its newest request, and its arbiter's highest grant number. */
  private readonly newest: OfNodesAndLocks<{ request: LamportTime; steals: boolean; grant: LamportTime }>;
  /** The clock of the node that handles an event, before that. */
  private clockBefore: LamportTime = 0;
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Message } | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.known = new OfNodesAndLocks(scene, () => new Map<string, Known>());
    this.heard = scene.nodeIds.map(() => ({ leaseMs: 0, clock: 0, whenAsked: new Map<CallerId, LamportTime>() }));
    this.newest = new OfNodesAndLocks(scene, () => ({ request: 0, steals: false, grant: 0 }));
  }

  started(machine: number): void {
    for (const known of this.known.ofNode(machine)) known.clear();
    const heard = this.heard[machine];
    if (heard === undefined) return;
    heard.leaseMs = termsAt(this.plan, this.scene.nowUs).leaseMs;
    heard.clock = 0;
    heard.whenAsked.clear();
  }

  // --- what arbiters know --------------------------------------------------------------------

  delivering(from: number, to: number, lock: number, message: Message): void {
    const heard = this.heard[to];
    if (heard !== undefined) heard.clock = Math.max(heard.clock, message.clock);
    this.handled = { from, to, lock, message };
    if (message.kind === 'release') this.known.of(to, lock).delete(keyOf({ node: this.idOf(from), timestamp: message.timestamp }));
  }

  /** It was refused: the arbiter knows nothing of it. */
  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message === this.handled?.message) this.handled = null;
  }

  delivered(): void {
    const { handled } = this;
    this.handled = null;
    if (handled === null) return;
    const { from, to, lock, message } = handled;
    const known = this.known.of(to, lock);
    const node = this.idOf(from);
    const key = keyOf({ node, timestamp: message.timestamp });
    const before = known.get(key);
    const heardAtMs = this.scene.nowMs(to);
    if (message.kind === 'yield' && before !== undefined) before.heardAtMs = heardAtMs;
    if (message.kind !== 'request') return;
    const { timestamp, mode, claim } = message;
    // A vote that was lent to a holder it has by its timestamp alone.
    const isNew = before === undefined || this.isForgotten(to, before);
    const sinceClock = clockOf(this.scene, to);
    if (isNew) known.set(key, { request: { timestamp, node }, claim: doesSteal(claim) ? 'steals' : 'waits', mode, holds: doesHold(claim), sinceClock, heardAtMs });
    else Object.assign(before, { heardAtMs, holds: before.holds || doesHold(claim) });
    if (isNew) this.makeWay(known, key, node);
  }

  /** Of more requests of one node, such as late copies make, one makes way for the next (5.7): which of them, is not followed here. */
  private makeWay(known: Map<string, Known>, newest: string, node: NodeId): void {
    const ofNode = [...known].filter(([, { request }]) => request.node === node);
    if (ofNode.length <= REQUESTS_OF_A_NODE_MAX) return;
    for (const [key] of ofNode) if (key !== newest) known.delete(key);
  }

  private isForgotten(arbiter: number, { heardAtMs }: Known): boolean {
    return this.scene.nowMs(arbiter) - heardAtMs >= (this.heard[arbiter]?.leaseMs ?? 0);
  }

  // --- what they lend ------------------------------------------------------------------------

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    if (message.kind === 'grant') this.lent(from, to, lock, message.timestamp, message.grant, cause);
    else if (message.kind === 'request') this.opened(from, lock, message.timestamp, doesSteal(message.claim));
    else if (message.kind === 'yield' && cause.kind === 'message' && cause.message.kind === 'inquire') this.yielded(from, lock, message.timestamp, cause.message.contender);
  }

  private lent(arbiter: number, to: number, lock: number, timestamp: LamportTime, grant: LamportTime, cause: Event): void {
    const newest = this.newest.of(arbiter, lock);
    const known = this.known.of(arbiter, lock);
    if (grant <= newest.grant) {
      // What it takes back in may make others give way that have been granted what it shows.
      if (this.isSilent(arbiter)) known.clear();
      return;
    }
    newest.grant = grant;
    const favoured = this.favoured(arbiter, to, lock, timestamp, cause);
    if (favoured === null) return;
    for (const older of known.values()) {
      if (grant <= older.sinceClock || isCompatible(older.mode, favoured.mode) || !hasPriority(older, favoured) || this.isForgotten(arbiter, older)) continue;
      violated('overtaken', `lock ${this.scene.locks[lock]}: ${this.idOf(arbiter)} lends its vote to request ${timestamp} of ${this.idOf(to)}, `
        + `although it knows request ${older.request.timestamp} of ${older.request.node}`);
    }
  }

  /** Whoever gets the vote, with the most that the arbiter may believe of its priority. */
  private favoured(arbiter: number, to: number, lock: number, timestamp: LamportTime, cause: Event): (Contender & { readonly mode: Mode }) | null {
    const node = this.idOf(to);
    const now = cause.kind === 'message' && cause.message.kind === 'request' && cause.from === node && cause.message.timestamp === timestamp ? cause.message : null;
    const before = this.known.of(arbiter, lock).get(keyOf({ node, timestamp }));
    const mode = before?.mode ?? now?.mode;
    if (mode === undefined) return null;
    const steals = before?.claim === 'steals' || (now !== null && doesSteal(now.claim));
    const holds = before?.holds === true || (now !== null && doesHold(now.claim));
    return { request: { timestamp, node }, claim: claimOf(steals, holds), mode };
  }

  /** Nobody gives a vote back for one that goes after it. */
  private yielded(machine: number, lock: number, timestamp: LamportTime, contender: Contender): void {
    const newest = this.newest.of(machine, lock);
    const node = this.idOf(machine);
    if (newest.request !== timestamp || hasPriority(contender, { request: { timestamp, node }, claim: claimOf(newest.steals, false) })) return;
    violated('overtaken', `lock ${this.scene.locks[lock]}: ${node} yields its request ${timestamp} for request ${contender.request.timestamp} of ${contender.request.node}, which goes after it`);
  }

  private isSilent(arbiter: number): boolean {
    return this.scene.nowMs(arbiter) < (this.scene.places[arbiter]?.silentUntilMs ?? 0);
  }

  entered({ machine, lock, hold, requester }: Entry): void {
    if (requester?.state !== 'held') return;
    const entrant: Contender = { request: requester.request, claim: claimOf(requester.steals, true) };
    for (const arbiter of this.scene.places) {
      if (!requester.granted.includes(arbiter.id)) continue;
      const grant = this.scene.inspect(arbiter.index, lock)?.grants.find(({ request }) => request.node === requester.request.node && request.timestamp === requester.request.timestamp);
      if (grant === undefined) continue;
      // Its own vote may come to it in this very event, when it has entered and says that it holds.
      if (arbiter.index === machine && grant.grant > this.clockBefore) continue;
      for (const older of this.known.of(arbiter.index, lock).values()) {
        if (grant.grant <= older.sinceClock || isCompatible(older.mode, hold.mode) || this.isForgotten(arbiter.index, older)) continue;
        if (!hasPriority(older, { ...entrant, claim: requester.steals ? 'steals' : 'waits' })) continue;
        violated('overtaken', `lock ${this.scene.locks[lock]}: ${this.idOf(machine)} enters by request ${entrant.request.timestamp} with the vote of ${arbiter.id}, `
          + `which knew request ${older.request.timestamp} of ${older.request.node} when it lent it`);
      }
    }
  }

  // --- who asks ------------------------------------------------------------------------------

  stepping(machine: number, event: Event): void {
    this.clockBefore = clockOf(this.scene, machine);
    const heard = this.heard[machine];
    if (event.kind === 'peerUp' && heard !== undefined) heard.clock = Math.max(heard.clock, event.clock);
  }

  asked({ machine: { index } }: CallerView, { caller }: EventOf<'acquire'>): void {
    const heard = this.heard[index];
    heard?.whenAsked.set(caller, heard.clock);
  }

  /** The first in line makes the request. */
  private opened(machine: number, lock: number, timestamp: LamportTime, steals: boolean): void {
    const newest = this.newest.of(machine, lock);
    if (timestamp <= newest.request) return;
    newest.request = timestamp;
    newest.steals = steals;
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state !== 'waiting' || requester.request.timestamp !== timestamp) return;
    const [caller] = requester.waitingCallers;
    const clock = caller === undefined ? undefined : this.heard[machine]?.whenAsked.get(caller);
    if (clock === undefined || timestamp > clock) return;
    violated('overtaken', `${this.idOf(machine)} asks for lock ${this.scene.locks[lock]} under timestamp ${timestamp}, although it had heard of ${clock} when its caller ${caller} asked`);
  }

  private idOf(machine: number): NodeId {
    return this.scene.nodeIds[machine] ?? '';
  }
}
