/**
 * A value that changes, as an async iterable. Law: only the newest is kept, so a slow reader costs nothing, and what follows
 * the changes ends when nobody reads any more.
 */
import { onAbort } from './abort';

export interface Tell<Value> {
  /** What it is now. */
  readonly value: (value: Value) => void;
  /** Nothing more will be told. */
  readonly end: (reason: unknown) => void;
}

interface Reader<Value> {
  readonly resolve: (result: IteratorResult<Value, undefined>) => void;
  readonly reject: (reason: unknown) => void;
}

type State =
  | { readonly kind: 'new' }
  | { readonly kind: 'follows'; readonly stop: () => void }
  /** `reason`: to be told once; whatever the caller's signal aborted with. */
  | { readonly kind: 'over'; readonly reason?: { readonly value: Error } };

const OVER: State = { kind: 'over' };

export class Latest<Value> implements AsyncIterableIterator<Value> {
  private state: State = { kind: 'new' };
  /** The newest that was not read yet. */
  private unread: { readonly value: Value } | undefined;
  private read: { readonly value: Value } | undefined;
  private readonly readers: Reader<Value>[] = [];

  /** @param follow called at the first read; returns how to stop */
  constructor(
    private readonly follow: (tell: Tell<Value>) => () => void,
    private readonly isSame: (a: Value, b: Value) => boolean,
    private readonly signal?: AbortSignal,
  ) {}

  next(): Promise<IteratorResult<Value, undefined>> {
    if (this.state.kind === 'new') this.begin();
    const { unread } = this;
    if (unread !== undefined) {
      this.unread = undefined;
      this.read = unread;
      return Promise.resolve({ done: false, value: unread.value });
    }
    if (this.state.kind === 'over') {
      const { reason } = this.state;
      this.state = OVER;
      return reason === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(reason.value);
    }
    return new Promise((resolve, reject) => this.readers.push({ resolve, reject }));
  }

  return(): Promise<IteratorResult<Value, undefined>> {
    this.stop(OVER);
    for (const { resolve } of this.readers.splice(0)) resolve({ done: true, value: undefined });
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private begin(): void {
    const { signal } = this;
    if (signal?.aborted === true) return this.end(signal.reason);
    const stops: (() => void)[] = [];
    this.state = { kind: 'follows', stop: () => stops.splice(0).forEach((stop) => stop()) };
    if (signal !== undefined) stops.push(onAbort(signal, () => this.end(signal.reason)));
    const stop = this.follow({ value: (value) => this.tell(value), end: (reason) => this.end(reason) });
    // It may have ended within that.
    if (this.state.kind === 'follows') stops.push(stop);
    else stop();
  }

  private tell(value: Value): void {
    if (this.state.kind !== 'follows') return;
    const isNews = this.read === undefined || !this.isSame(this.read.value, value);
    this.unread = isNews ? { value } : undefined;
    const reader = isNews ? this.readers.shift() : undefined;
    if (reader !== undefined) this.next().then(reader.resolve, reader.reject);
  }

  private end(reason: unknown): void {
    if (this.state.kind === 'over') return;
    this.unread = undefined;
    const [first, ...others] = this.readers.splice(0);
    this.stop(first === undefined ? { kind: 'over', reason: { value: reason as Error } } : OVER);
    first?.reject(reason);
    for (const { resolve } of others) resolve({ done: true, value: undefined });
  }

  private stop(state: State): void {
    const { state: before } = this;
    this.state = state;
    this.unread = undefined;
    if (before.kind === 'follows') before.stop();
  }
}
