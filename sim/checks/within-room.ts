/**
 * within-room: a token is at most SLACK above the lowest clock of all votes in hand, and so is the last one that a caller may take by itself, for
 * which half of the room is left (protocol.md sections 7 and 15.4). And a lock that is kept is entered again, without a message, where the law
 * says so, and asked for once more when less than half of the room is left (protocol.md section 9).
 * It looks at the Grants that a node was sent, and at what it says of its request. The clock of its own vote it does not see.
 */
import { isSameRequest, reentryLeftMs } from '../../src/core';
import type { Event, LamportTime, Message, NodeId, RequesterView } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { HELD_BACK_REASON } from './limits';
import { isClockLock, OfNodesAndLocks, wishOf } from './scene';
import type { CallerView, Scene } from './scene';
import type { Entry, Performed, Witness } from './witness';

/** A third of a second of a process that does nothing else. */
const ROOM_MAX = 65_536;

/** A Grant that was heard: the highest clock that came with its number. */
interface Vote {
  readonly grant: LamportTime;
  readonly clock: LamportTime;
}

/** Of one node and lock. */
interface Request {
  timestamp: LamportTime;
  readonly votes: Map<NodeId, Vote>;
  /** When it was last sent, or lost for want of room before that, in the node's time. */
  sentAtMs: number;
  /** The newest that was sent, and whether its grants may be kept. */
  askedAs: LamportTime;
  keep: boolean;
  /** The last token that the caller inside may take by itself; 0 when it may take none. */
  roomUntil: LamportTime;
}

type Retained = Extract<RequesterView, { state: 'retained' }>;

export class WithinRoom implements Witness {
  private readonly requests: OfNodesAndLocks<Request>;
  private readonly slacks: number[];
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Message } | null = null;
  /** The caller that asks, and the kept lock that it finds. */
  private asking: CallerView | null = null;
  private kept: Retained | null = null;
  /** The number of the vote that its own arbiter has lent it, which is no higher than the clock that came with that. */
  private ownGrant: LamportTime = Infinity;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.requests = new OfNodesAndLocks(scene, () => ({ timestamp: 0, votes: new Map<NodeId, Vote>(), sentAtMs: -Infinity, askedAs: 0, keep: true, roomUntil: 0 }));
    this.slacks = scene.nodeIds.map(() => plan.slack);
  }

  started(machine: number): void {
    for (const request of this.requests.ofNode(machine)) request.timestamp = 0;
    this.slacks[machine] = termsAt(this.plan, this.scene.nowUs).slack;
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    this.handled = { from, to, lock, message };
  }

  performed(effect: Performed): void {
    if (effect.kind === 'ignored' && effect.message === this.handled?.message && effect.message.kind === 'grant') this.handled = null;
    if (effect.kind !== 'ignored' || effect.reason !== HELD_BACK_REASON || effect.message.kind !== 'request' || isClockLock(effect.message.lock)) return;
    const machine = this.scene.nodeIds.indexOf(effect.from);
    this.requests.of(machine, this.scene.lockOf(effect.message.lock)).sentAtMs = this.scene.nowMs(machine);
  }

  stepping(machine: number, event: Event): void {
    this.kept = null;
    if (event.kind !== 'acquire') return;
    const view = this.scene.inspect(machine, this.scene.lockOf(event.lock));
    if (view?.requester?.state !== 'retained') return;
    this.kept = view.requester;
    const { request } = view.requester;
    this.ownGrant = view.grants.find((each) => isSameRequest(each.request, request))?.grant ?? Infinity;
  }

  asked(caller: CallerView): void {
    this.asking = caller;
  }

  /** The votes as they are with what this event brought: who enters by it counts on that. */
  entered({ machine, lock, caller, roomUntil, passTo, requester }: Entry): void {
    this.count();
    if (requester?.state !== 'held') return;
    const { token } = requester;
    const clock = this.lowestClock(machine, lock, requester);
    const allowed = clock + (this.slacks[machine] ?? 0);
    const name = `${this.scene.nodeIds[machine]} caller ${caller.id}, lock ${this.scene.locks[lock]}`;
    if (token > allowed) violated('within-room', `${name}: token ${token} is more than SLACK above ${clock}, the lowest clock of its votes`);
    const request = this.requests.of(machine, lock);
    request.roomUntil = roomUntil ?? 0;
    if (roomUntil === null) return;
    if (passTo.length === 0 && request.askedAs === requester.request.timestamp && !request.keep) violated('within-room', `${name}: may keep it and take tokens by itself, although its node asked without keep`);
    const until = token + Math.min(ROOM_MAX, Math.floor((allowed - token) / 2));
    if (roomUntil > until) violated('within-room', `${name}: may take tokens up to ${roomUntil} by itself; the votes leave room up to ${until}`);
  }

  sent(from: number, _to: number, lock: number, message: Message): void {
    if (message.kind !== 'request') return;
    Object.assign(this.requests.of(from, lock), { sentAtMs: this.scene.nowMs(from), askedAs: message.timestamp, keep: message.keep });
  }

  stepped(machine: number): void {
    this.count();
    if (this.handled !== null) this.judgeLater(this.handled.to, this.handled.lock);
    this.handled = null;
    const { asking, kept } = this;
    this.asking = null;
    this.kept = null;
    if (asking === null || kept === null) return;
    this.judgeKept(machine, asking, kept);
    this.judgeRepeat(machine, asking.lock, kept);
  }

  /** A vote that comes while a client may take tokens by itself allows the last of them, or it does not count. */
  private judgeLater(machine: number, lock: number): void {
    const requester = this.scene.inspect(machine, lock)?.requester;
    const { roomUntil } = this.requests.of(machine, lock);
    if (requester?.state !== 'held' || roomUntil === 0) return;
    const allowed = this.lowestClock(machine, lock, requester) + (this.slacks[machine] ?? 0);
    if (roomUntil > allowed) violated('within-room', `${this.scene.nodeIds[machine]} counts a vote for lock ${this.scene.locks[lock]} that allows tokens up to ${allowed}; a client may take them up to ${roomUntil}`);
  }

  /** Who enters again with less than half of the room left asks for more. What its own vote leaves it does not say: it may be less. */
  private judgeRepeat(machine: number, lock: number, kept: Retained): void {
    const { nodeIds, locks } = this.scene;
    const requester = this.scene.inspect(machine, lock)?.requester;
    if (requester?.state !== 'held' || requester.request.timestamp !== kept.request.timestamp || this.scene.isHeldBack(machine)) return;
    const slack = this.slacks[machine] ?? 0;
    const left = this.lowestClock(machine, lock, kept) + slack - kept.token;
    if (left >= slack / 2 || this.requests.of(machine, lock).sentAtMs >= this.scene.nowMs(machine)) return;
    violated('within-room', `${nodeIds[machine]} enters lock ${locks[lock]} again with room for ${left} tokens, less than half of SLACK, and does not repeat its Request`);
  }

  private judgeKept(machine: number, caller: CallerView, kept: Retained): void {
    const { token, validUntilMs } = kept;
    const lock = caller.lock;
    const slack = this.slacks[machine] ?? 0;
    const room = Math.min(this.ownGrant, this.lowestClock(machine, lock, kept)) + slack;
    const leftMs = validUntilMs - this.scene.nowMs(machine);
    const { mode, steals } = wishOf(caller);
    if (caller.state !== 'waiting' || steals || mode !== kept.mode || token + 1 > room || leftMs < reentryLeftMs(termsAt(this.plan, this.scene.nowUs).leaseMs)) return;
    violated('within-room', `${this.scene.nodeIds[machine]} caller ${caller.id} does not enter lock ${this.scene.locks[lock]}, which its node has kept for ${leftMs} ms more, with token ${token + 1} of ${room}`);
  }

  /** What was just heard, unless the node ignored it. */
  private count(): void {
    const { handled } = this;
    if (handled?.message.kind !== 'grant') return;
    const { from, to, lock, message: { timestamp, grant, clock } } = handled;
    const request = this.requests.of(to, lock);
    // A late one of an earlier request is answered with a Release, and says nothing of this one.
    if (timestamp < request.timestamp) return;
    if (timestamp > request.timestamp) {
      request.timestamp = timestamp;
      request.votes.clear();
    }
    const node = this.scene.nodeIds[from] ?? '';
    const before = request.votes.get(node);
    request.votes.set(node, { grant, clock: before?.grant === grant ? Math.max(before.clock, clock) : clock });
  }

  private lowestClock(machine: number, lock: number, { request, granted }: Pick<Retained, 'request' | 'granted'>): LamportTime {
    const { timestamp, votes } = this.requests.of(machine, lock);
    if (timestamp !== request.timestamp) return Infinity;
    return Math.min(...granted.map((node) => votes.get(node)?.clock ?? Infinity));
  }
}
