/**
 * jumps: the vote that an arbiter lends on without being told that the last one is done with it, it lends with a clock
 * above every token that the last grant allowed: SLACK above the clock that it last sent with that (protocol.md sections 5.1 and 7).
 * It looks at what an arbiter has lent, and at messages.
 */
import type { LamportTime, Message, Mode } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { OfNodesAndLocks } from './scene';
import type { Scene } from './scene';
import type { Witness } from './witness';

/** A vote that was lent to another node, which has not said that it is done with it. */
interface Lent {
  readonly to: number;
  readonly timestamp: LamportTime;
  readonly mode: Mode;
  /** The clock last sent with the grant. */
  clock: LamportTime;
}

/** One arbiter and lock. */
interface Votes {
  readonly lent: Map<LamportTime, Lent>;
  /** Requests that were over before their Grants, held back for the disk, were sent. */
  readonly over: Set<LamportTime>;
}

/** So many are kept apart. */
const REMEMBERED = 100;

export class JumpsWhenNotTold implements Witness {
  private readonly votes: OfNodesAndLocks<Votes>;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.votes = new OfNodesAndLocks(scene, () => ({ lent: new Map<LamportTime, Lent>(), over: new Set<LamportTime>() }));
  }

  /** What its earlier life lent, new-life looks after. */
  started(machine: number): void {
    for (const { lent, over } of this.votes.ofNode(machine)) {
      lent.clear();
      over.clear();
    }
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    const votes = this.votes.of(to, lock);
    if (message.kind === 'yield') {
      votes.lent.delete(message.grant);
    } else if (message.kind === 'release') {
      for (const [number, lent] of votes.lent) if (lent.to === from && lent.timestamp === message.timestamp) votes.lent.delete(number);
      if (!this.scene.isHeldBack(to)) return;
      votes.over.add(message.timestamp);
      if (votes.over.size > REMEMBERED) votes.over.delete(Math.min(...votes.over));
    }
  }

  sent(from: number, to: number, lock: number, message: Message): void {
    if (message.kind !== 'grant') return;
    const votes = this.votes.of(from, lock);
    if (votes.over.has(message.timestamp)) return;
    const { lent } = votes;
    const known = lent.get(message.grant);
    if (known !== undefined) {
      known.clock = Math.max(known.clock, message.clock);
      return;
    }
    const mode = this.scene.inspect(from, lock)?.grants.find(({ grant }) => grant === message.grant)?.mode;
    if (mode === undefined) return;
    // While it is silent it takes back in what its earlier life lent, and that may have to give way to what was lent later.
    const isSilent = this.scene.nowMs(from) < (this.scene.places[from]?.silentUntilMs ?? 0);
    for (const [number, other] of lent) {
      if (mode === 'shared' && other.mode === 'shared') continue;
      lent.delete(number);
      if (!isSilent) this.lentOn(from, lock, message, other);
    }
    if (lent.size > REMEMBERED) lent.clear();
    lent.set(message.grant, { to, timestamp: message.timestamp, mode, clock: message.clock });
  }

  private lentOn(machine: number, lock: number, { clock }: Message, { to, timestamp, clock: lastSent }: Lent): void {
    const allowed = lastSent + termsAt(this.plan, this.scene.nowUs).slack;
    if (clock > allowed) return;
    const { nodeIds, locks } = this.scene;
    violated('jumps', `${nodeIds[machine]} lends lock ${locks[lock]} on with clock ${clock}, although ${nodeIds[to]}, whose request ${timestamp} had the vote `
      + `and was not over, may have a token of ${allowed}`);
  }
}
