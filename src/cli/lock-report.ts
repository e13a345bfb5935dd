/** What `maekawa lock` reports, for people or as JSON lines. On standard error, for standard output belongs to the command. */
import type { LockErrorCode } from '../errors';
import type { LockInfo } from '../locks/types';
import { visible } from '../visible';
import { describeUse, lockTitle, printable } from './holders';
import { complain, complainJson } from './print';

export type Happening =
  /** The nodes that answer report `held` and `others`; the node that was asked knows `ahead` by itself. */
  | { readonly event: 'waiting'; readonly for: string; readonly held: readonly LockInfo[]; readonly others: number; readonly ahead: readonly string[] }
  /** `permit`: of a semaphore the name of the lock whose token it is. */
  | { readonly event: 'held'; readonly token: number; readonly permit?: string; readonly validForMs: number }
  /** No lock can be had anywhere now. */
  | { readonly event: 'blocked'; readonly text: string }
  | { readonly event: 'started'; readonly pid: number }
  | { readonly event: 'warning'; readonly text: string }
  | { readonly event: 'ended'; readonly exitCode: number }
  | { readonly event: 'released' }
  /** Instead of `released`: the node did not say that it knows. */
  | { readonly event: 'unanswered' }
  /** The last one, when the lock was not granted, or was lost without a command. */
  | { readonly event: 'failed'; readonly code: LockErrorCode; readonly text: string; readonly exitCode: number };

export type Tell = (happening: Happening) => void;

export interface TellerOptions {
  readonly json?: true;
  readonly verbose?: true;
}

/** Whether waiting is reported to somebody. */
export function isHeard({ json, verbose }: TellerOptions): boolean {
  return json === true || verbose === true || process.stderr.isTTY;
}

export function teller(name: string, options: TellerOptions): Tell {
  const { json, verbose } = options;
  if (json === true) return (happening) => complainJson({ at: new Date().toISOString(), lock: name, ...happening });
  return (happening) => {
    switch (happening.event) {
      case 'waiting':
        if (isHeard(options)) complain(describeWaiting(happening));
        return;
      case 'held':
        if (verbose === true) complain(`holding ${lockTitle(happening.permit ?? name)}, token ${happening.token}`);
        return;
      case 'blocked':
        complain(`waiting: ${visible(happening.text)}`);
        return;
      case 'warning':
      case 'failed':
        complain(happening.text);
        return;
      case 'released':
        if (verbose === true) complain(`gave ${printable(name)} back`);
        return;
      case 'unanswered':
        if (verbose === true) complain(`the node did not answer when ${printable(name)} was given back, so the lock ends with its lease`);
        return;
      case 'started':
      case 'ended':
        return;
    }
  };
}

function describeWaiting({ for: lockName, held, others, ahead }: Happening & { readonly event: 'waiting' }): string {
  const use = describeUse(held, others);
  const known = use === '' && ahead.length > 0 ? `ahead in line: ${visible(ahead.join(', '))}` : use;
  return `waiting for ${lockTitle(lockName)}${known === '' ? '' : `; ${known}`}`;
}
