/**
 * The network between the machines: decides of each message whether and when it arrives. A link keeps
 * its order like a stream does, but for the messages that a fault lets overtake. Every link has its own
 * stream of chance, with the same number of draws for each message, so that leaving out one message
 * elsewhere changes nothing here.
 */
import { DOUBLINGS_MAX } from '../plan/delays';
import type { NetworkPlan } from '../plan/plan';
import { MILLION, Random } from '../plan/random';

/**
 * What `soon` means once all is healed, in delays: with a heavy tail a message that holds up all behind
 * it on its link could take more than a lease again and again, and then no lock can be had.
 */
const HEALED_DELAYS_MAX = 2;

/** When the copies of a message that is lost arrive. */
const NEVER: readonly number[] = [];

export interface NetworkCounts {
  lost: number;
  duplicated: number;
  overtaken: number;
  cut: number;
  /** Lost because a clogged link had no more room. */
  overflowed: number;
}

export class Network {
  readonly counts: NetworkCounts = { lost: 0, duplicated: 0, overtaken: 0, cut: 0, overflowed: 0 };
  /** Each made when its link first carries a message: of a thousand nodes most pairs never speak. */
  private readonly links: Random[] = [];
  /** Per link how many faults cut it now, and how many of these its ends can find out. */
  private readonly cuts: number[];
  private readonly seenCuts: number[];
  private readonly clogUntilUs: number[];
  /** Per link how many more messages a clog has room for. */
  private readonly room: number[];
  private readonly lastArrivalUs: number[];
  private isHealed = false;
  private readonly lossPpm: number;
  private readonly duplicatePpm: number;
  private readonly latePpm: number;
  private readonly reorderPpm: number;
  private readonly spikePpm: number;

  constructor(private readonly seed: number, private readonly nodes: number, private readonly plan: NetworkPlan) {
    const count = nodes * nodes;
    this.cuts = new Array<number>(count).fill(0);
    this.seenCuts = new Array<number>(count).fill(0);
    this.clogUntilUs = new Array<number>(count).fill(0);
    this.room = new Array<number>(count).fill(Infinity);
    this.lastArrivalUs = new Array<number>(count).fill(0);
    // One draw decides among the fates: each has its own stretch of the million.
    this.lossPpm = plan.lossPpm;
    this.duplicatePpm = this.lossPpm + plan.duplicatePpm;
    this.latePpm = this.duplicatePpm + plan.latePpm;
    this.reorderPpm = this.latePpm + plan.reorderPpm;
    this.spikePpm = this.reorderPpm + plan.spikePpm;
  }

  link(from: number, to: number): number {
    return from * this.nodes + to;
  }

  isCut(link: number): boolean {
    return (this.cuts[link] ?? 0) > 0;
  }

  /** As its ends see it: signs of life may come through where messages do not. */
  looksCut(link: number): boolean {
    return (this.seenCuts[link] ?? 0) > 0;
  }

  cut(link: number, isSeen = true): void {
    this.cuts[link] = (this.cuts[link] ?? 0) + 1;
    if (isSeen) this.seenCuts[link] = (this.seenCuts[link] ?? 0) + 1;
  }

  mend(link: number, wasSeen = true): void {
    this.cuts[link] = Math.max(0, (this.cuts[link] ?? 0) - 1);
    if (wasSeen) this.seenCuts[link] = Math.max(0, (this.seenCuts[link] ?? 0) - 1);
  }

  /** Until then the link holds its messages back, and beyond `room` of them it loses the newest. */
  clog(link: number, untilUs: number, room = Infinity): void {
    this.clogUntilUs[link] = Math.max(untilUs, this.clogUntilUs[link] ?? 0);
    this.room[link] = room;
  }

  /** From now on every message arrives, once, in order and soon, but for links that stay cut. What is under way still comes. */
  heal(): void {
    this.isHealed = true;
    this.cuts.fill(0);
    this.seenCuts.fill(0);
    this.room.fill(Infinity);
    this.clogUntilUs.fill(0);
    this.lastArrivalUs.fill(0);
  }

  /** A message is sent now: when its copies arrive. */
  send(nowUs: number, link: number): readonly number[] {
    if (this.isCut(link)) {
      this.counts.cut++;
      return NEVER;
    }
    const random = (this.links[link] ??= new Random(this.seed, 'link', link));
    const fate = random.below(MILLION);
    const chance = random.next();
    const arrivalUs = nowUs + this.delayUs(chance);
    if (this.isHealed) return this.inOrder(link, Math.min(arrivalUs, nowUs + HEALED_DELAYS_MAX * this.plan.delayUs));
    if (fate >= this.spikePpm) return this.inOrder(link, arrivalUs);
    if (fate < this.lossPpm) {
      this.counts.lost++;
      return NEVER;
    }
    // The low bits of the delay's draw are as good as a draw of their own.
    const extra = Math.imul(chance, 0x9e3779b1) >>> 0;
    if (fate < this.duplicatePpm) {
      this.counts.duplicated++;
      return [...this.inOrder(link, arrivalUs), arrivalUs + share(extra, this.plan.stragglerUs)];
    }
    if (fate < this.latePpm) {
      this.counts.duplicated++;
      return [...this.inOrder(link, arrivalUs), arrivalUs + share(extra, this.plan.lateUs)];
    }
    if (fate < this.reorderPpm) {
      this.counts.overtaken++;
      return [arrivalUs + share(extra, this.plan.stragglerUs)];
    }
    return this.inOrder(link, arrivalUs + share(extra, this.plan.lateUs / 4));
  }

  /** As `fate` says (see `Fate`), or in good order after the base delay; healed, always the latter. */
  sendTo(nowUs: number, link: number, fate: readonly number[] | null): readonly number[] {
    if (this.isCut(link)) {
      this.counts.cut++;
      return NEVER;
    }
    if (fate === null || this.isHealed) return this.inOrder(link, nowUs + this.plan.delayUs);
    if (fate.length === 0) this.counts.lost++;
    if (fate.length > 1) this.counts.duplicated++;
    return fate.map((afterUs) => nowUs + afterUs);
  }

  private inOrder(link: number, arrivalUs: number): readonly number[] {
    if (arrivalUs < (this.clogUntilUs[link] ?? 0)) {
      const room = this.room[link] ?? Infinity;
      if (room === 0) {
        this.counts.overflowed++;
        return NEVER;
      }
      this.room[link] = room - 1;
    }
    const atUs = Math.max(arrivalUs, this.lastArrivalUs[link] ?? 0, this.clogUntilUs[link] ?? 0);
    this.lastArrivalUs[link] = atUs;
    return [atUs];
  }

  private delayUs(chance: number): number {
    const { delayUs, delayShape } = this.plan;
    switch (delayShape) {
      case 'constant':
        return delayUs;
      case 'uniform':
        return delayUs + share(chance, delayUs);
      case 'heavy':
        return delayUs * 2 ** Math.min(Math.clz32(chance), DOUBLINGS_MAX);
    }
  }
}

/** As much of `whole` as 32 random bits say; exact while `whole` is below 2^32. */
function share(chance: number, whole: number): number {
  return Math.floor(((chance >>> 11) * Math.floor(whole)) / 2 ** 21);
}
