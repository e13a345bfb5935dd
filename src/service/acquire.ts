/**
 * What a client asks for, over whichever stream: its Acquire, checked and in our words; and why it ended, in the client's.
 * Law: what a client sends is checked before it is used.
 */
import type { AcquireMessage, EndedMessage } from '../client-protocol/schema';
import { endedReason, modeOf, wellFormed } from '../client-protocol/wire-words';
import { assertNever } from '../core';
import type { LockName, Mode, SessionEndCause } from '../core';
import { LockError } from '../errors';
import { lockNameBytesMax, readWtf8 } from '../lock-name';
import { permitName, permitOf } from '../locks/permit';
import { AT_LEAST_MS_MAX, WAIT_MS_MAX } from '../locks/request-arguments';
import { PERMITS_MAX } from '../locks/semaphore';
import type { LockOptions } from '../locks/types';

export interface AskedFor {
  readonly name: LockName;
  readonly options: LockOptions;
  /** 0: it is not held on. */
  readonly atLeastMs: number;
  /** The client means to keep it when it is done. */
  readonly keeps: boolean;
  /** It passes it on to its own requests that stand behind. */
  readonly passes: boolean;
}

/** What is asked for; or why it cannot be. */
export function readAcquire(message: AcquireMessage): AskedFor | { readonly fault: string } {
  const read = readName(message.lock);
  if ('fault' in read) return read;
  const mode = modeOf(message.mode);
  if (mode === null) return { fault: `mode ${String(message.mode)} is none that this node knows; it knows exclusive (1) and shared (2)` };
  const fault = optionsFault(message, mode);
  if (fault !== null) return { fault };
  const { waitMs, steal, ifAvailable, label, maxHoldMs, atLeastMs = 0, keep = false, pass = false } = message;
  return {
    name: read.name, atLeastMs, keeps: keep && !isPermit(read.name),
    passes: pass && mode === 'exclusive' && !steal && !ifAvailable && maxHoldMs === undefined && atLeastMs === 0,
    options: {
      mode, steal, ifAvailable, label,
      ...(waitMs === undefined ? {} : { waitMs }),
      ...(maxHoldMs === undefined ? {} : { maxHoldMs }),
    },
  };
}

/** The name of the lock that a client means, or why it is none. */
export function readName(lock: Buffer | undefined): { readonly name: LockName } | { readonly fault: string } {
  if (lock === undefined) return { fault: 'lock is missing: name one (the empty name is allowed, but must be set)' };
  if (lock.length > lockNameBytesMax) return { fault: `the lock name is ${lock.length} bytes long; at most ${lockNameBytesMax} are allowed` };
  const name = readWtf8(lock);
  if (name === null) return { fault: 'lock is not UTF-8' };
  if (name.startsWith('-') && !isPermit(name)) {
    return { fault: `the lock name ${JSON.stringify(name.slice(0, 100))} starts with "-", which is reserved; a permit of a semaphore is named "-permit N of NAME"` };
  }
  return { name };
}

/** Whether the library gives a permit this very name. */
function isPermit(name: LockName): boolean {
  const permit = permitOf(name);
  return permit !== null && permit.permit < PERMITS_MAX && permitName(permit.semaphore, permit.permit) === name;
}

/** What is wrong with how a client asks for a lock; or null. */
function optionsFault({ steal, ifAvailable, waitMs, maxHoldMs, atLeastMs = 0, keep = false }: AcquireMessage, mode: Mode): string | null {
  if (keep && (mode === 'shared' || steal || maxHoldMs !== undefined || atLeastMs > 0)) {
    return 'keep is for exclusive locks, and excludes steal, max_hold_ms and at_least_ms';
  }
  if (steal && mode === 'shared') return 'only an exclusive lock can be stolen';
  if (atLeastMs > AT_LEAST_MS_MAX) return `at_least_ms is ${atLeastMs}, and at most ${AT_LEAST_MS_MAX}, a day`;
  if (steal && ifAvailable) return 'steal and if_available exclude each other';
  if (waitMs !== undefined && waitMs > WAIT_MS_MAX) return `wait_ms is ${waitMs}, and at most ${WAIT_MS_MAX}; leave it out to wait as long as it takes`;
  if (maxHoldMs !== undefined && !(maxHoldMs >= 1 && maxHoldMs <= WAIT_MS_MAX)) return `max_hold_ms is ${maxHoldMs}, and from 1 to ${WAIT_MS_MAX}; leave it out to hold the lock as long as it takes`;
  return null;
}

/** What the client is told of an end. */
export function endedMessage(cause: SessionEndCause<unknown>, leaseMs: number): EndedMessage {
  const error = reasonOf(cause, leaseMs);
  const reason = error instanceof LockError ? endedReason(error.code) : 'REASON_UNSPECIFIED';
  const message = wellFormed(error instanceof Error ? error.message : String(error));
  return { reason, message, definite: error instanceof LockError && error.definite };
}

function reasonOf(cause: SessionEndCause<unknown>, leaseMs: number): unknown {
  switch (cause.kind) {
    case 'reason':
      return cause.reason;
    case 'silent':
      return new LockError('lost', `the client was silent for the whole lease of ${leaseMs} ms`, { definite: false });
    case 'reads-nothing':
      return new LockError('lost', 'the client does not read what the node tells it about its lock', { definite: false });
    case 'unknown':
      return new LockError('lost', 'the client was away for so long that its node no longer keeps the lock, or its place in line', { definite: false });
    default:
      return assertNever(cause);
  }
}
