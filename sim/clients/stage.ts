/** True time, what is still to happen in it, chance, and the account of what did. It knows nothing of locks. */
import { RunningHash } from '../outcome/running-hash';
import { hashText, Random } from '../plan/random';
import { Agenda } from '../world/agenda';
import { violated } from './check';

/** More events than any run needs: the machines talk to each other for ever. */
const EVENTS_MAX = 400_000;

export class Stage {
  nowUs = 0;
  events = 0;
  /** How often each situation came up. */
  readonly counts = new Map<string, number>();
  private readonly agenda = new Agenda();
  private readonly hash = new RunningHash();
  private readonly codes = new Map<string, number>();
  readonly random: Random;

  constructor(seed: number, private readonly trace: ((line: string) => void) | null) {
    this.random = new Random(seed, 'clients happen');
  }

  at(atUs: number, run: () => void): void {
    this.agenda.push(Math.max(this.nowUs, atUs), 0, 0, 0, run);
  }

  after(inUs: number, run: () => void): void {
    this.at(this.nowUs + inUs, run);
  }

  /** Whether anything is left. Everything up to `untilUs` has happened then. */
  runUntil(untilUs: number): void {
    let isReached = false;
    this.at(untilUs, () => (isReached = true));
    while (!isReached && this.agenda.next()) {
      this.nowUs = this.agenda.atUs;
      if (++this.events > EVENTS_MAX) violated('progress', `${EVENTS_MAX} events, and no end of them`);
      (this.agenda.payload as () => void)();
    }
  }

  /** Something happened: counted in the hash, and told to whoever reads the trace. */
  tell(what: string, a: number, b: number, detail: () => string = () => ''): void {
    let code = this.codes.get(what);
    if (code === undefined) this.codes.set(what, code = hashText(what));
    this.hash.addWide(this.nowUs);
    this.hash.add(code);
    this.hash.addWide(Math.floor(a));
    this.hash.addWide(Math.floor(b));
    this.trace?.(`${(this.nowUs / 1000).toFixed(3).padStart(11)} ms  ${what} ${detail()}`);
  }

  count(situation: string): void {
    this.counts.set(situation, (this.counts.get(situation) ?? 0) + 1);
  }

  digest(): string {
    return this.hash.digest();
  }
}
