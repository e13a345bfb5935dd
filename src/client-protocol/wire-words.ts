/**
 * The words of the client service and ours, both ways in one place: modes, changes, reasons, names, what a lock is told as.
 * Law: each word has exactly one translation, and a word that this version does not know is never taken for one that it knows.
 */
import type { Mode } from '../core';
import type { LockErrorCode } from '../errors';
import { readWtf8, writeWtf8 } from '../lock-name';
import type { Leader, LockChange, LockInfo } from '../locks/types';
import type { ChangeWord, EndedReason, LeaderMessage, LockInfoMessage, WireMode } from './schema';

export function wireMode(mode: Mode): WireMode {
  return mode === 'shared' ? 'LOCK_MODE_SHARED' : 'LOCK_MODE_EXCLUSIVE';
}

/** A client that says nothing of the mode wants the lock alone. Null for a mode that this version does not know: on the wire it is any number. */
export function modeOf(mode: WireMode): Mode | null {
  switch (mode) {
    case 'LOCK_MODE_UNSPECIFIED':
    case 'LOCK_MODE_EXCLUSIVE':
      return 'exclusive';
    case 'LOCK_MODE_SHARED':
      return 'shared';
    default:
      return null;
  }
}

const WIRE_CHANGE = { held: 'CHANGE_HELD', released: 'CHANGE_RELEASED', lost: 'CHANGE_LOST' } as const;

export function wireChange(change: LockChange['change']): ChangeWord {
  return WIRE_CHANGE[change];
}

/** Null for a change that this version does not know. */
export function changeOf(word: ChangeWord): LockChange['change'] | 'missed' | null {
  switch (word) {
    case 'CHANGE_UNSPECIFIED':
    case 'CHANGE_HELD':
      return 'held';
    case 'CHANGE_RELEASED':
      return 'released';
    case 'CHANGE_LOST':
      return 'lost';
    case 'CHANGE_MISSED':
      return 'missed';
    default:
      return null;
  }
}

/** Why a lock, or a request for one, ended. */
export function endedReason(code: LockErrorCode): EndedReason {
  switch (code) {
    case 'timeout':
      return 'REASON_TIMEOUT';
    case 'no-quorum':
      return 'REASON_NO_QUORUM';
    case 'lost':
      return 'REASON_LOST';
    case 'stolen':
      return 'REASON_STOLEN';
    case 'expired':
      return 'REASON_EXPIRED';
    case 'closed':
      return 'REASON_CLOSED';
    case 'config':
      return 'REASON_CONFIG';
    case 'unreachable':
      return 'REASON_UNAVAILABLE';
    case 'aborted':
    case 'fenced':
    case 'nested':
    case 'protocol':
    case 'storage':
      return 'REASON_UNSPECIFIED';
  }
}

export function codeOf(reason: EndedReason): LockErrorCode {
  switch (reason) {
    case 'REASON_TIMEOUT':
      return 'timeout';
    case 'REASON_NO_QUORUM':
      return 'no-quorum';
    case 'REASON_LOST':
      return 'lost';
    case 'REASON_STOLEN':
      return 'stolen';
    case 'REASON_EXPIRED':
      return 'expired';
    case 'REASON_CLOSED':
      return 'closed';
    case 'REASON_CONFIG':
      return 'config';
    case 'REASON_UNAVAILABLE':
      return 'unreachable';
    case 'REASON_RELEASED': // A client listens no longer when it has released.
    case 'REASON_UNSPECIFIED':
      return 'protocol';
  }
}

/** A lock name as the wire has it: WTF-8. */
export function lockBytes(name: string): Buffer {
  const bytes = Buffer.allocUnsafe(name.length * 3);
  return bytes.subarray(0, writeWtf8(bytes, 0, name));
}

/** The name that a node tells, for a person to read even when the bytes are no name. */
export function lockNameOf(lock: Buffer): string {
  return readWtf8(lock) ?? lock.toString('latin1');
}

/** The metadata of each call in which a client says which cluster it means; bytes, for a name is any text. */
export const CLUSTER_KEY = 'maekawa-cluster-bin';

/** Text as a `string` of the wire, which cannot hold a lone surrogate: strict clients would refuse the whole message. */
export function wellFormed(text: string): string {
  return Buffer.from(text).toString();
}

export function lockInfoMessage({ name, mode, clientId, label = '', token = 0, forMs, keptForMs = 0 }: LockInfo): LockInfoMessage {
  return { lock: lockBytes(name), mode: wireMode(mode), clientId, label: wellFormed(label), token, forMs, keptForMs };
}

export function lockInfoOf({ lock, mode, clientId, label, token, forMs, keptForMs }: LockInfoMessage): LockInfo {
  return {
    name: lockNameOf(lock),
    mode: modeOf(mode) ?? 'exclusive', // who holds it: a mode that is new to us shuts us out
    clientId,
    ...(label === '' ? {} : { label }),
    ...(token === 0 ? {} : { token }),
    forMs,
    ...(keptForMs === 0 ? {} : { keptForMs }),
  };
}

export function leaderMessage({ clientId, label = '', token }: Leader): LeaderMessage {
  return { clientId, label: wellFormed(label), token };
}

export function leaderOf({ clientId, label, token }: LeaderMessage): Leader {
  return { clientId, ...(label === '' ? {} : { label }), token };
}
