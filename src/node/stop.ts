/**
 * How a node stops. First it takes no new request, and what is held goes on for the grace; then every holder is told, and the
 * node closes. Law: in the grace the node lends its vote and renews as ever, and lets nobody in. No call prolongs a grace.
 */
import { isObject, shown } from '../arguments';
import type { NodeId } from '../core';
import { LockError } from '../errors';
import { holderTitle } from '../locks/holder-title';
import type { NodeLockManager } from '../locks/lock-manager';
import { WAIT_MS_MAX } from '../locks/request-arguments';
import { permitOf } from '../locks/permit';
import type { LockInfo } from '../locks/types';
import type { Logger } from '../log';
import type { Runtime } from '../runtime/runtime';
import { visible } from '../visible';
import type { StopOptions } from './stop-options';

/** How often the log says what a stop waits for. */
const PROGRESS_MS = 5_000;

/** So many locks are named in the log; the others are counted. */
const NAMED_MAX = 5;

export interface StopParts {
  readonly id: NodeId;
  readonly runtime: Runtime;
  readonly manager: NodeLockManager;
  readonly log: Logger;
  /** The node takes no requests any more. */
  readonly onBegin: () => void;
  /** Tell every holder, and close. */
  readonly close: (reason: LockError) => Promise<void>;
}

export class NodeStop {
  private stopped: Promise<void> | undefined;
  /** Infinity while the node does not stop. */
  private graceEndsAtMs = Infinity;
  private endGrace: () => void = () => undefined;
  private forgetGraceEnd: () => void = () => undefined;

  constructor(private readonly parts: StopParts) {}

  /** For how much longer what is held may go on; null while the node does not stop. */
  get graceLeftMs(): number | null {
    return this.graceEndsAtMs === Infinity ? null : Math.max(0, this.graceEndsAtMs - this.parts.runtime.nowMs());
  }

  /** Resolves when the node has stopped. A further call can only shorten the grace. */
  begin(options: StopOptions): Promise<void> {
    const graceMs = readGrace(options);
    if (graceMs instanceof LockError) return Promise.reject(graceMs);
    this.limitGrace(graceMs);
    return (this.stopped ??= this.run(graceMs));
  }

  private async run(graceMs: number): Promise<void> {
    const { id, runtime, manager, onBegin, close } = this.parts;
    const reason = new LockError('closed', `node ${id} is stopping`);
    onBegin();
    runtime.announceStop(reason);
    if (graceMs > 0) {
      manager.refuseWaiting(reason);
      await this.grace();
    }
    await close(reason);
  }

  private async grace(): Promise<void> {
    const { runtime, manager, log } = this.parts;
    const isOver = new Promise<void>((resolve) => (this.endGrace = resolve));
    const released = manager.untilNothingIsHeld();
    let forgetProgress = (): void => undefined;
    const tellProgress = (): void => {
      const { held } = manager.snapshot();
      if (held.length > 0) log.info(`takes no new request, and waits up to ${Math.round((this.graceLeftMs ?? 0) / 1_000)} s for what is held: ${described(held)}`);
      forgetProgress = runtime.schedule(tellProgress, PROGRESS_MS);
    };
    tellProgress();
    await Promise.race([released, isOver]);
    forgetProgress();
    this.forgetGraceEnd();
    const { held } = manager.snapshot();
    if (held.length > 0) log.warn(`the grace is over, and locks are still held; their holders are told to stop: ${described(held)}`);
  }

  private limitGrace(graceMs: number): void {
    const { runtime } = this.parts;
    const endsAtMs = runtime.nowMs() + graceMs;
    if (endsAtMs >= this.graceEndsAtMs) return;
    this.graceEndsAtMs = endsAtMs;
    this.forgetGraceEnd();
    if (graceMs === 0) this.endGrace();
    else this.forgetGraceEnd = runtime.schedule(() => this.endGrace(), graceMs);
  }
}

function readGrace(options: unknown): number | LockError {
  // An event or a signal, where `stop` itself is the listener.
  if (!isObject(options) || Object.getPrototypeOf(options) !== Object.prototype) return 0;
  const unknown = Object.keys(options).find((name) => name !== 'graceMs');
  if (unknown !== undefined) return new LockError('config', `stop has no option ${JSON.stringify(unknown)}; it has graceMs. The node goes on`);
  const { graceMs = 0 } = options as { readonly graceMs?: unknown };
  if (typeof graceMs === 'number' && graceMs >= 0 && graceMs <= WAIT_MS_MAX) return graceMs;
  return new LockError('config', `graceMs is a number of milliseconds from 0 to ${WAIT_MS_MAX}, not ${shown(graceMs)}. The node goes on`);
}

/** `"invoices" by n1/3 (deploy 7), "stock" by n1, and 4 others`. */
function described(held: readonly LockInfo[]): string {
  const named = held.slice(0, NAMED_MAX).map((lock) => {
    const name = visible(JSON.stringify(permitOf(lock.name)?.semaphore ?? lock.name));
    return `${name} by ${holderTitle(lock)}`;
  });
  const others = held.length - named.length;
  return `${named.join(', ')}${others === 0 ? '' : `, and ${others} other${others === 1 ? '' : 's'}`}`;
}
