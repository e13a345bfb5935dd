/** One signal out of two. `AbortSignal.any` is newer than the oldest Node.js that we support. */

export interface Either {
  readonly signal: AbortSignal;
  /** Leave no listener behind. */
  forget(): void;
}

/** Aborts when the first of both does, with its reason. */
export function either(a: AbortSignal, b: AbortSignal | undefined): Either {
  const controller = new AbortController();
  const signals = b === undefined ? [a] : [a, b];
  const onAbort = (event: Event): void => controller.abort((event.target as AbortSignal).reason);
  const forget = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  };
  for (const signal of signals) {
    if (signal.aborted) controller.abort(signal.reason);
    else signal.addEventListener('abort', onAbort);
  }
  return { signal: controller.signal, forget };
}
