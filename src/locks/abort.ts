/**
 * Listening to the abort signals of callers. Law: leaves no listener behind, and never more than one on a
 * signal, however many requests share it: Node.js takes the eleventh for a leak.
 */

interface Listening {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const bySignal = new WeakMap<AbortSignal, Listening>();

/** Call back once when the signal aborts, which it has not yet. Returns how to stop listening. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const { callbacks, listener } = bySignal.get(signal) ?? listen(signal);
  const own = (): void => callback();
  callbacks.add(own);
  return () => {
    callbacks.delete(own);
    if (callbacks.size > 0 || bySignal.get(signal)?.callbacks !== callbacks) return;
    bySignal.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}

function listen(signal: AbortSignal): Listening {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    bySignal.delete(signal);
    for (const callback of callbacks) callback();
  };
  const listening = { callbacks, listener };
  bySignal.set(signal, listening);
  signal.addEventListener('abort', listener, { once: true });
  return listening;
}

export interface Either {
  readonly signal: AbortSignal;
  /** Leave no listener behind. */
  forget(): void;
}

/** Aborts when the first of both does, with its reason. (`AbortSignal.any` is newer than the oldest Node.js that we support.) */
export function either(a: AbortSignal, b: AbortSignal | undefined): Either {
  const controller = new AbortController();
  const stops: (() => void)[] = [];
  for (const signal of b === undefined ? [a] : [a, b]) {
    if (signal.aborted) controller.abort(signal.reason);
    else stops.push(onAbort(signal, () => controller.abort(signal.reason)));
  }
  return {
    signal: controller.signal,
    forget: () => {
      for (const stop of stops) stop();
    },
  };
}
