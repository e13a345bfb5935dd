/**
 * new-life: after a restart an arbiter lends only with a clock above all tokens that its earlier life allowed: SLACK above the first
 * value of this life (protocol.md section 3), the larger SLACK of a life before a change (16.1). One without memory begins SLACK above all
 * that it heard (3.2). It rests on its wall clock no sooner than two leases after its birth, only if those that answered it do not meet every
 * quorum, and begins above it then.
 * It looks at the clock of each node, which is in its messages too.
 */
import { clockLockOf } from '../../src/core';
import type { Effect, LamportTime, Message } from '../../src/core';
import { WALL_CLOCK_START_US } from '../plan/layout';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { clockOf } from './scene';
import type { Scene } from './scene';
import type { Witness } from './witness';

interface Life {
  /** Its first clock value; null when it owes no jump: in a first life, and once it has joined. */
  bornAt: LamportTime | null;
  bornMs: number;
  wallClockUs: number;
  isFirst: boolean;
  /** Peers that it asked for their clock: under which timestamp. */
  readonly asked: Map<number, LamportTime>;
  /** Those that answered, and the number of the event by which they did. */
  readonly heard: Map<number, number>;
  /** The highest clock that came with any message, the last event by which one came, and the highest before that event. */
  highest: LamportTime;
  event: number;
  highestBefore: LamportTime;
}

export class NewLife implements Witness {
  private readonly lives: Life[];
  private readonly clockLocks: readonly string[];

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.clockLocks = scene.nodeIds.map(clockLockOf);
    this.lives = scene.nodeIds.map(() => ({ bornAt: null, bornMs: 0, wallClockUs: 0, isFirst: true, asked: new Map(), heard: new Map(), highest: 0, event: 0, highestBefore: 0 }));
  }

  started(machine: number): void {
    const life = this.of(machine);
    const place = this.scene.places[machine];
    life.bornAt = life.isFirst || place === undefined || place.ceilingOnDisk === 0 ? null : clockOf(this.scene, machine);
    life.bornMs = this.scene.nowMs(machine);
    life.wallClockUs = WALL_CLOCK_START_US + this.scene.nowUs + (place?.wallAheadUs ?? 0);
    life.isFirst = false;
    life.asked.clear();
    life.heard.clear();
    life.highest = 0;
    life.highestBefore = 0;
    // What others asked its earlier life counts for nothing.
    for (const other of this.lives) other.asked.delete(machine);
  }

  delivering(from: number, to: number, _lock: number, message: Message): void {
    const life = this.of(to);
    life.highestBefore = life.highest;
    life.highest = Math.max(life.highest, message.clock);
    life.event = this.scene.events + 1;
    if (message.kind !== 'grant' || message.lock !== this.clockLocks[to]) return;
    const { asked, heard } = life;
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
    if (by === 'peers') return;
    const agedMs = this.scene.nowMs(machine) - life.bornMs;
    if (agedMs < 2 * termsAt(this.plan, this.scene.nowUs).leaseMs) violated('new-life', `${node} rests on its wall clock ${agedMs} ms after its birth`);
    const unheard = new Set(this.scene.nodeIds.filter((_, peer) => (life.heard.get(peer) ?? Infinity) >= events));
    if (!this.scene.coterie.containsQuorum(unheard)) violated('new-life', `${node} rests on its wall clock, although those that answered it meet every quorum`);
    const wallClockUs = life.wallClockUs + agedMs * 1000;
    const clock = clockOf(this.scene, machine);
    if (clock < wallClockUs) violated('new-life', `${node} takes part by its wall clock, which shows ${wallClockUs}, with clock ${clock}`);
  }

  sent(from: number, to: number, _lock: number, message: Message): void {
    if (message.kind === 'request' && message.lock === this.clockLocks[from]) this.of(from).asked.set(to, message.timestamp);
    if (message.kind !== 'grant' || isClockLock(message)) return;
    const life = this.of(from);
    const { bornAt } = life;
    // A grant of an earlier life is taken back in under its old number.
    if (bornAt === null || message.grant <= bornAt) return;
    const { slack } = termsAt(this.plan, this.scene.nowUs);
    const coveredUpTo = bornAt + Math.max(slack, this.scene.places[from]?.slackBefore ?? 0);
    if (message.clock <= coveredUpTo) {
      violated('new-life', `${this.scene.nodeIds[from]} lends ${message.lock} with clock ${message.clock}, although its earlier life allowed tokens up to ${coveredUpTo}`);
    }
    life.bornAt = null;
  }

  private of(machine: number): Life {
    const life = this.lives[machine];
    if (life === undefined) throw new RangeError(`no machine ${machine}`);
    return life;
  }
}

/** By such a lock a node without memory hears clocks; an arbiter grants it even while it is silent, for it protects nothing. */
function isClockLock({ lock }: Message): boolean {
  return lock.startsWith(clockLockOf(''));
}
