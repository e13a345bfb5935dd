/**
 * The arguments of `request` as a browser takes them: converted as Web IDL does, then checked in the order
 * of the specification's steps. Law: what fails here is thrown before anything was asked for, and a script
 * that a page can run reads the same error names here.
 */
import { isObject, shown } from '../arguments';
import { LockError } from '../errors';
import { lockNameFault } from '../lock-name';
import type { AcquireOptions, Lock, LockOptions, OnceOptions, QueryOptions } from './types';

/** The longest that a timer can wait. */
export const WAIT_MS_MAX = 0x7fff_ffff;

/** The longest that a lock is kept for nobody: a day. */
export const AT_LEAST_MS_MAX = 86_400_000;

export type GrantedCallback<T> = (lock: Lock | null) => T;

export interface RequestArguments<T> {
  readonly name: string;
  readonly options: LockOptions;
  readonly callback: GrantedCallback<T>;
}

/**
 * @throws TypeError for arguments of a wrong type, DOMException `NotSupportedError` for a reserved name and for
 * options that exclude each other, LockError `config` for a name, a `waitMs` or a `maxHoldMs` that cannot be
 */
export function readRequest<T>(name: unknown, second: unknown, third: unknown): RequestArguments<T> {
  const isShort = third === undefined && typeof second === 'function';
  const callback = isShort ? second : third;
  const text = typeof name === 'string' ? name : domString(name);
  const options = isShort ? {} : readOptions(second);
  if (typeof callback !== 'function') {
    throw new TypeError(`request(${JSON.stringify(text)}, …) needs a function to run while the lock is held, not ${shown(callback)}`);
  }
  const fault = nameFault(text) ?? (isShort ? null : optionsFault(options) ?? exclusionFault(options));
  if (fault !== null) throw fault;
  // Called with null only when `ifAvailable` is set, and then its type allows it.
  return { name: text, options, callback: callback as GrantedCallback<T> };
}

/** Members are read once each, in the order of Web IDL; those that the specification does not know come last. */
function readOptions(value: unknown): LockOptions {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' && typeof value !== 'function') {
    throw new TypeError(`the options of a request are an object, not ${shown(value)}`);
  }
  const members = value as Record<string, unknown>;
  const { ifAvailable, mode, signal, steal, label, waitMs, maxHoldMs, nested } = members;
  if (signal !== undefined && !isAbortSignal(signal)) throw new TypeError(`signal is an AbortSignal, not ${shown(signal)}`);
  return {
    ...(ifAvailable ? { ifAvailable: true } : {}),
    ...(mode === undefined ? {} : { mode: readMode(mode) }),
    ...(signal === undefined ? {} : { signal }),
    ...(steal ? { steal: true } : {}),
    ...(label === undefined ? {} : { label: domString(label) }),
    ...(waitMs === undefined ? {} : { waitMs: waitMs as number }),
    ...(maxHoldMs === undefined ? {} : { maxHoldMs: maxHoldMs as number }),
    ...(nested === undefined ? {} : { nested: nested as 'warn' | 'reject' }),
  };
}

function readMode(value: unknown): 'exclusive' | 'shared' {
  const mode = domString(value);
  if (mode === 'exclusive' || mode === 'shared') return mode;
  throw new TypeError(`mode is 'exclusive' or 'shared', not ${shown(value)}`);
}

/** As Web IDL makes a string of any value: a symbol is refused, all else is written out. */
function domString(value: unknown): string {
  return `${value as string}`;
}

/** By its shape: a signal from another realm, such as a test's, is one too. */
function isAbortSignal(value: unknown): value is AbortSignal {
  return typeof value === 'object' && value !== null && 'aborted' in value && 'addEventListener' in value && typeof value.addEventListener === 'function';
}

/** Why users may not use this name; or null. Methods that the specification does not know take a string and nothing else. */
export function nameFault(name: unknown): Error | null {
  if (typeof name !== 'string') return new TypeError(`a lock name is a string, not ${shown(name)}`);
  // The locks behind permits have such names; the specification leaves them to implementations.
  if (name.startsWith('-')) return notSupported(`the lock name ${JSON.stringify(name)} starts with "-", which is reserved`);
  const fault = lockNameFault(name);
  return fault === null ? null : new LockError('config', fault);
}

/** What no method allows. */
export function optionsFault(options: AcquireOptions): Error | null {
  if (!isObject(options)) return new TypeError(`the options of a request are an object, such as { waitMs: 10_000 }, not ${shown(options)}`);
  const { mode, waitMs, maxHoldMs, nested, steal, signal } = options;
  if (mode !== undefined && mode !== 'exclusive' && mode !== 'shared') {
    return new TypeError(`mode is 'exclusive' or 'shared', not ${shown(mode)}`);
  }
  if (signal !== undefined && !isAbortSignal(signal)) return new TypeError(`signal is an AbortSignal, not ${shown(signal)}`);
  if (waitMs !== undefined && !(typeof waitMs === 'number' && waitMs >= 0 && waitMs <= WAIT_MS_MAX)) {
    return new LockError('config', `waitMs is a number of milliseconds from 0 to ${WAIT_MS_MAX}, not ${shown(waitMs)}`);
  }
  if (maxHoldMs !== undefined && !(typeof maxHoldMs === 'number' && maxHoldMs >= 1 && maxHoldMs <= WAIT_MS_MAX)) {
    return new LockError('config', `maxHoldMs is a number of milliseconds from 1 to ${WAIT_MS_MAX}, not ${shown(maxHoldMs)}`);
  }
  if (nested !== undefined && nested !== 'warn' && nested !== 'reject') return new TypeError(`nested is 'warn' or 'reject', not ${shown(nested)}`);
  return steal === true && mode === 'shared' ? notSupported('only an exclusive lock can be stolen') : null;
}

/** What `once` does not allow. */
export function onceFault(options: OnceOptions, callback: unknown): Error | null {
  if (typeof callback !== 'function') return new TypeError(`once needs a function to run while the lock is held, not ${shown(callback)}`);
  const fault = optionsFault(options);
  if (fault !== null) return fault;
  const { atLeastMs } = options;
  if (typeof atLeastMs === 'number' && atLeastMs >= 0 && atLeastMs <= AT_LEAST_MS_MAX) return null;
  return new LockError('config', `atLeastMs is a number of milliseconds from 0 to ${AT_LEAST_MS_MAX} (a day), not ${shown(atLeastMs)}`);
}

/** Whom a query asks. @throws TypeError */
export function readScope(options: QueryOptions): 'cluster' | 'node' {
  if (!isObject(options)) throw new TypeError(`the options of query are an object, such as { scope: 'node' }, not ${shown(options)}`);
  const scope: unknown = options.scope ?? 'cluster';
  if (scope === 'cluster' || scope === 'node') return scope;
  throw new TypeError(`scope is 'cluster' or 'node', not ${shown(scope)}`);
}

/** What the specification forbids to `request` alone. */
function exclusionFault({ ifAvailable, steal, signal }: LockOptions): Error | null {
  if (steal === true && ifAvailable === true) return notSupported('steal and ifAvailable exclude each other');
  if (signal !== undefined && steal === true) return notSupported('signal and steal exclude each other');
  if (signal !== undefined && ifAvailable === true) return notSupported('signal and ifAvailable exclude each other');
  return null;
}

function notSupported(message: string): DOMException {
  return new DOMException(message, 'NotSupportedError');
}
