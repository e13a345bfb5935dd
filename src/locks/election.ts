/**
 * Leadership made of a lock: the election is the exclusive lock of its name. Law: the signal of a term aborts before its lock is given
 * back, so whatever follows that signal has heard of the end before a successor may enter; and `run` never has two of its
 * `work` running. At most one leader is what the lock promises, and nothing here adds to it.
 */
import { isObject, shown } from '../arguments';
import { LockError } from '../errors';
import { controllerThatLooks, onAbort } from './abort';
import { asyncDispose } from './async-dispose';
import { Latest } from './latest';
import type { Tell } from './latest';
import { isSameLeader } from './leader-watch';
import type { ManagedLock } from './managed-lock';
import { nameFault, optionsFault } from './request-arguments';
import type { AcquireOptions, CampaignOptions, Election, ElectionOptions, HeldTerm, Leader, Term } from './types';

/** What an election asks of the manager that it belongs to. */
export interface ElectionParts {
  readonly begin: (name: string, options: AcquireOptions) => Promise<ManagedLock>;
  /** Tell who leads, now and whenever that changes. Returns how to stop it. */
  readonly follow: (name: string, tell: Tell<Leader | null>) => () => void;
}

export class LockElection implements Election {
  private readonly label: Pick<AcquireOptions, 'label'>;

  constructor(
    readonly name: string,
    options: ElectionOptions,
    private readonly parts: ElectionParts,
  ) {
    const fault = nameFault(name);
    if (fault !== null) throw fault;
    if (!isObject(options)) throw new TypeError(`the options of an election are an object, such as { label: 'web-1' }, not ${shown(options)}`);
    const { label } = options;
    if (label !== undefined && typeof label !== 'string') throw new TypeError(`the label of an election is a string, not ${shown(label)}`);
    this.label = label === undefined ? {} : { label };
  }

  async campaign(options: CampaignOptions = {}): Promise<HeldTerm> {
    return this.begin(signalOf(options));
  }

  async run<T>(work: (term: Term) => T, options: CampaignOptions = {}): Promise<Awaited<T>> {
    if (typeof work !== 'function') throw new TypeError(`run needs a function to run as leader, not ${shown(work)}`);
    const signal = signalOf(options);
    for (;;) {
      const term = await this.begin(signal);
      // The process may have been busy or frozen since the grant came: nothing starts in a term that is over, or that nobody wants any more.
      const end = term.isCutShort || signal?.aborted === true ? null : await workIn(term, work, signal);
      const { isCutShort } = term;
      const isAborted = signal?.aborted === true;
      const told = term.resign();
      if (!isCutShort) await told;
      if (isAborted) {
        const isOwn = end?.kind === 'threw' && end.error !== signal.reason && !isAbortError(end.error);
        throw isOwn ? end.error : signal.reason;
      }
      if (isCutShort || end === null) continue;
      if (end.kind === 'threw') throw end.error;
      return end.value;
    }
  }

  observe(options: CampaignOptions = {}): AsyncIterableIterator<Leader | null> {
    return new Latest((tell) => this.parts.follow(this.name, tell), isSameLeader, signalOf(options));
  }

  private async begin(signal: AbortSignal | undefined): Promise<TermInHand> {
    return new TermInHand(await this.parts.begin(this.name, { ...this.label, ...(signal === undefined ? {} : { signal }) }));
  }
}

function signalOf(options: CampaignOptions): AbortSignal | undefined {
  const fault = optionsFault(options);
  if (fault !== null) throw fault;
  return options.signal;
}

type End<Value> = { readonly kind: 'returned'; readonly value: Value } | { readonly kind: 'threw'; readonly error: unknown };

async function workIn<T>(term: TermInHand, work: (term: Term) => T, signal: AbortSignal | undefined): Promise<End<Awaited<T>>> {
  const stopListening = signal === undefined ? undefined : onAbort(signal, () => term.end(signal.reason));
  try {
    return { kind: 'returned', value: await work(term) };
  } catch (error) {
    return { kind: 'threw', error };
  } finally {
    stopListening?.();
  }
}

/** What code throws that heard of an abort. */
function isAbortError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'AbortError';
}

class TermInHand implements HeldTerm {
  private readonly controller: AbortController;

  constructor(private readonly lock: ManagedLock) {
    this.controller = controllerThatLooks(() => void lock.validForMs());
    const { signal } = lock;
    if (signal.aborted) this.end(signal.reason);
    else onAbort(signal, () => this.end(signal.reason));
  }

  get name(): string {
    return this.lock.name;
  }

  get mode(): Term['mode'] {
    return this.lock.mode;
  }

  get token(): Term['token'] {
    return this.lock.token;
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  /** Its lock is lost, or about to be: not by the leader's own will. */
  get isCutShort(): boolean {
    return this.lock.signal.aborted;
  }

  validForMs(): number {
    return this.lock.validForMs();
  }

  /** Those who follow its signal hear of it. The lock is still held. */
  end(reason: unknown): void {
    this.controller.abort(reason);
  }

  resign(): Promise<void> {
    this.end(new LockError('aborted', `the term as leader of ${JSON.stringify(this.name)} ended in good order`));
    return this.lock.release();
  }

  [asyncDispose](): Promise<void> {
    return this.resign();
  }
}
