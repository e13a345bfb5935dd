/**
 * Abort signals: those of callers, to which we listen, and those of locks, which callers read.
 * Law: a caller's signal keeps no listener of ours, and never has more than one, however many requests share it: Node.js
 * takes the eleventh for a leak. Whoever reads the signal of a lock reads what is so at that moment.
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

/**
 * The controller of a signal that is read by the clock: `look` aborts it when that is due, and comes before each reading of
 * `aborted`, `reason` and `throwIfAborted()`, also of a signal that was taken long before. Code that kept the event loop busy
 * past a lease reads the truth so, though no timer could fire. A signal that somebody derives (`AbortSignal.any`) hears by events only.
 */
export function controllerThatLooks(look: () => void): AbortController {
  const controller = new AbortController();
  const { signal } = controller;
  const plain = Object.getPrototypeOf(signal) as AbortSignal;
  const read = (key: 'aborted' | 'reason') => (): unknown => {
    look();
    return Reflect.get(plain, key, signal);
  };
  Object.defineProperties(signal, {
    aborted: { configurable: true, get: read('aborted') },
    reason: { configurable: true, get: read('reason') },
    throwIfAborted: {
      configurable: true,
      value: () => {
        look();
        plain.throwIfAborted.call(signal);
      },
    },
  });
  return controller;
}
