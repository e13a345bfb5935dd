/**
 * new-life: after a restart an arbiter lends only with a clock above all tokens that its earlier life allowed: SLACK above the first
 * value of this life (protocol.md section 3), the larger SLACK of a life before a change (16.1). It adds that when its silence ends and no sooner:
 * a life begins just above its ceiling and its wall clock (3.1). One without memory begins SLACK above all that it heard (3.2), and by that only
 * if those that answered it meet every quorum. If they do not, it rests on its wall clock two leases after its birth, no sooner, and no later than a
 * lease after it began to ask, and begins above it then.
 * It is silent for a lease, or for the longest under which a vote of it may be on loan: that of the last life that lent, however many have died in their
 * silence since (5.6, 16.1).
 * It looks at the clock of each node, which is in its messages too.
 */
import { clockLockOf } from '../../src/core';
import type { Effect, Event, LamportTime, Message } from '../../src/core';
import { WALL_CLOCK_START_US } from '../plan/layout';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { clockOf, isClockLock } from './scene';
import type { Place, Scene } from './scene';
import type { Witness } from './witness';

interface Life {
  /** Its first clock value; null when it owes no jump: in a first life, and once it has joined. */
  bornAt: LamportTime | null;
  bornMs: number;
  wallClockUs: number;
  /** It remembers, or has learned what others do. */
  isKnown: boolean;
  /** When it takes part at the latest, in its own time: a lease after its silence. Infinity before that is over. */
  takesPartMs: number;
  isFirst: boolean;
  /** Until it has started: it may lend at once. */
  mayLend: boolean;
  /** Of this life, and of the last one that has lent; null when its disk knows of none. */
  terms: Terms;
  lentUnder: Terms | null;
  /** Whether this life has lent, or could have. */
  hasLent: boolean;
  /** Peers that it asked for their clock: under which timestamp. */
  readonly asked: Map<number, LamportTime>;
  /** Those that answered, and the number of the event by which they did. */
  readonly heard: Map<number, number>;
  /** All questions of this life, and who answered one, if only when it is dead itself. */
  readonly questions: Set<LamportTime>;
  readonly answered: Set<number>;
  /** The highest clock that came with any message, the last event by which one came, and the highest before that event. */
  highest: LamportTime;
  event: number;
  highestBefore: LamportTime;
}

type Terms = Pick<Plan, 'leaseMs' | 'slack'>;

export class NewLife implements Witness {
  private readonly lives: Life[];
  private readonly clockLocks: readonly string[];

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.clockLocks = scene.nodeIds.map(clockLockOf);
    this.lives = scene.nodeIds.map(() => ({ bornAt: null, bornMs: 0, wallClockUs: 0, isKnown: true, takesPartMs: Infinity, isFirst: true, mayLend: true, terms: plan, lentUnder: null, hasLent: false, asked: new Map(), heard: new Map(), questions: new Set(), answered: new Set(), highest: 0, event: 0, highestBefore: 0 }));
  }

  started(machine: number): void {
    const life = this.of(machine);
    const place = this.scene.places[machine];
    life.bornAt = life.isFirst || place === undefined || place.ceilingOnDisk === 0 ? null : clockOf(this.scene, machine);
    life.mayLend = life.isFirst;
    if (life.hasLent) life.lentUnder = life.terms;
    if (place === undefined || place.ceilingOnDisk === 0) life.lentUnder = null;
    life.terms = termsAt(this.plan, this.scene.nowUs);
    life.hasLent = false;
    life.bornMs = this.scene.nowMs(machine);
    life.wallClockUs = WALL_CLOCK_START_US + this.scene.nowUs + (place?.wallAheadUs ?? 0);
    life.isKnown = false;
    life.takesPartMs = Infinity;
    life.isFirst = false;
    life.asked.clear();
    life.heard.clear();
    life.questions.clear();
    life.answered.clear();
    life.highest = 0;
    life.highestBefore = 0;
    // What others asked its earlier life counts for nothing.
    for (const other of this.lives) other.asked.delete(machine);
  }

  stepped(machine: number, event: Event): void {
    const life = this.of(machine);
    const place = this.scene.places[machine];
    if (place === undefined || place.node === null) return;
    if (event.kind === 'start') return this.begun(place, life);
    if (!life.hasLent && this.scene.core.remembers(place.node) && this.scene.core.silentForMs(place.node, this.scene.nowMs(machine)) === 0) life.hasLent = true;
    const nowMs = this.scene.nowMs(machine);
    if (!life.isKnown && this.scene.core.remembers(place.node)) life.isKnown = true;
    if (life.isKnown || nowMs < place.silentUntilMs) return;
    // It may have been woken late for the end of its silence.
    if (life.takesPartMs === Infinity) life.takesPartMs = nowMs + termsAt(this.plan, this.scene.nowUs).leaseMs;
    if (nowMs < life.takesPartMs) return;
    violated('new-life', `${this.scene.nodeIds[machine]}, which has no memory, does not take part ${nowMs - life.bornMs} ms after its birth`);
  }

  /** Whose silence was over could have lent, though it was not woken any more. What earlier lives lent has run out by then. */
  dying(machine: number): void {
    const place = this.scene.places[machine];
    if (place !== undefined && this.scene.nowMs(machine) >= place.silentUntilMs) this.of(machine).hasLent = true;
  }

  private begun(place: Place, life: Life): void {
    const clock = clockOf(this.scene, place.index);
    const first = Math.max(place.ceilingOnDisk, life.wallClockUs) + 1;
    if (clock !== first) violated('new-life', `${place.id} begins its life with clock ${clock}, and not with ${first}, just above its ceiling and its wall clock`);
    if (life.mayLend || place.node === null) return;
    const leaseMs = Math.max(life.terms.leaseMs, life.lentUnder?.leaseMs ?? 0);
    const silentMs = this.scene.core.silentForMs(place.node, life.bornMs);
    // One that is not silent at all shows in what it lends.
    if (silentMs > 0 && silentMs < leaseMs) violated('new-life', `${place.id} begins its life with a silence of ${silentMs} ms; a vote of it may be on loan for ${leaseMs} ms`);
  }

  delivering(from: number, to: number, _lock: number, message: Message): void {
    const life = this.of(to);
    life.highestBefore = life.highest;
    life.highest = Math.max(life.highest, message.clock);
    life.event = this.scene.events + 1;
    if (message.kind !== 'grant' || message.lock !== this.clockLocks[to]) return;
    const { asked, heard, questions, answered } = life;
    if (questions.has(message.timestamp)) answered.add(from);
    if (asked.get(from) === message.timestamp) heard.set(from, life.event);
  }

  joined(machine: number, by: Extract<Effect, { kind: 'joined' }>['by']): void {
    const life = this.of(machine);
    const node = this.scene.nodeIds[machine];
    const { slack } = termsAt(this.plan, this.scene.nowUs);
    const { events } = this.scene;
    // When its time is over it takes part at once; what comes with this very event comes too late.
    const coveredUpTo = (by === 'wall clock' && life.event === events ? life.highestBefore : life.highest) + slack;
    if (clockOf(this.scene, machine) <= coveredUpTo) {
      violated('new-life', `${node} takes part with clock ${clockOf(this.scene, machine)}, although those that it heard allow tokens up to ${coveredUpTo}`);
    }
    if (by === 'peers') {
      if (this.isSomeQuorumIn((peer) => !life.answered.has(peer))) violated('new-life', `${node} takes part, although those that answered it do not meet every quorum`);
      return;
    }
    const agedMs = this.scene.nowMs(machine) - life.bornMs;
    if (agedMs < 2 * termsAt(this.plan, this.scene.nowUs).leaseMs) violated('new-life', `${node} rests on its wall clock ${agedMs} ms after its birth`);
    if (!this.isSomeQuorumIn((peer) => (life.heard.get(peer) ?? Infinity) >= events)) violated('new-life', `${node} rests on its wall clock, although those that answered it meet every quorum`);
    const wallClockUs = life.wallClockUs + agedMs * 1000;
    const clock = clockOf(this.scene, machine);
    if (clock < wallClockUs) violated('new-life', `${node} takes part by its wall clock, which shows ${wallClockUs}, with clock ${clock}`);
  }

  sent(from: number, to: number, _lock: number, message: Message): void {
    if (message.kind === 'request' && message.lock === this.clockLocks[from]) {
      this.of(from).asked.set(to, message.timestamp);
      this.of(from).questions.add(message.timestamp);
    }
    if (message.kind !== 'grant' || isClockLock(message.lock)) return;
    const life = this.of(from);
    const { bornAt } = life;
    // A grant of an earlier life is taken back in under its old number.
    if (bornAt === null || message.grant <= bornAt) return;
    const { slack } = termsAt(this.plan, this.scene.nowUs);
    const coveredUpTo = bornAt + Math.max(slack, life.lentUnder?.slack ?? 0, this.scene.places[from]?.slackBefore ?? 0);
    if (message.clock <= coveredUpTo) {
      violated('new-life', `${this.scene.nodeIds[from]} lends ${message.lock} with clock ${message.clock}, although its earlier life allowed tokens up to ${coveredUpTo}`);
    }
    life.bornAt = null;
  }

  private isSomeQuorumIn(isAmong: (machine: number) => boolean): boolean {
    return this.scene.coterie.containsQuorum(new Set(this.scene.nodeIds.filter((_, machine) => isAmong(machine))));
  }

  private of(machine: number): Life {
    const life = this.lives[machine];
    if (life === undefined) throw new RangeError(`no machine ${machine}`);
    return life;
  }
}
