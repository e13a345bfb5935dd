/**
 * Which locks a chain of async calls holds, to find the one that waits for itself: it asks again for what it holds, and waits for
 * ever. Law: it says so, and decides about no lock. A request that its chain does not await is none of that: so one counts as waiting
 * for itself only when it has waited for a while and the chain still holds the lock.
 *
 * The stack of a request is taken only when its chain holds the lock. That of whoever holds it would cost each entry as much as the
 * entry itself, so it is taken from then on, for this name alone. The first time the callers of the request are the trace of it.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { dirname } from 'node:path';
import type { Mode, Token } from '../core';
import { LockError } from '../errors';
import type { ManagedLock } from './managed-lock';

/** How long a request may wait for a lock that its own chain of calls holds before that is told. */
export const NESTED_TOLD_MS = 1_000;

/** Of a chain that holds more locks than this only the newest are looked at: to take many, one after the other, costs each as little. */
export const CHAIN_MAX = 32;
/** More frames of a stack, warnings and names are not kept. */
const FRAMES_MAX = 50;
const KEPT_MAX = 1_000;

/** A lock that a chain of calls holds, or asked for by `acquire`. */
export interface ChainHold {
  readonly owner: object;
  readonly name: string;
  readonly mode: Mode;
  /** Once it is granted. Every promise of the chain leads here, so this must not lead on to a lock and its promises. */
  belief: ManagedLock['belief'] | undefined;
  /** 0 until then. */
  token: Token;
  /** It was not granted. */
  isRefused: boolean;
  readonly place: string | undefined;
  outer: ChainHold | undefined;
}

const chain = new AsyncLocalStorage<ChainHold>();
/** Locks that a chain asked for within itself before. */
const noted = new Set<string>();
const warned = new Set<string>();

/** Call it, and have what it asks for known as asked for by a holder of this lock. */
export function insideHold<L extends ManagedLock, T>(owner: object, place: string | undefined, lock: L, callback: (lock: L) => T): T {
  const { name, mode, belief, token } = lock;
  return chain.run({ owner, name, mode, belief, token, isRefused: false, place, outer: living(chain.getStore()) }, callback, lock);
}

/** From now on the chain of calls that this is called by is known to hold it, once `holds` says so. */
export function beginHold(owner: object, name: string, mode: Mode): ChainHold {
  const hold: ChainHold = { owner, name, mode, belief: undefined, token: 0, isRefused: false, place: placeOf(name), outer: living(chain.getStore()) };
  chain.enterWith(hold);
  return hold;
}

/** The lock of this name that the present chain of calls holds. */
export function heldAround(owner: object, name: string): ChainHold | undefined {
  for (let hold = chain.getStore(); hold !== undefined; hold = hold.outer) {
    if (hold.name === name && hold.owner === owner && hold.belief?.isHeld === true) return hold;
  }
  return undefined;
}

/** Of a chain that goes on for ever only what it holds is kept, and of that the newest. */
function living(hold: ChainHold | undefined): ChainHold | undefined {
  let first = hold;
  while (first !== undefined && isOver(first)) first = first.outer;
  let kept = 2; // this one, and the one that is about to be put before it
  for (let each = first; each?.outer !== undefined; each = each.outer) {
    while (each.outer !== undefined && isOver(each.outer)) each.outer = each.outer.outer;
    if (++kept > CHAIN_MAX) each.outer = undefined;
  }
  return first;
}

function isOver({ belief, isRefused }: ChainHold): boolean {
  return isRefused || belief?.isHeld === false;
}

/** It is in hand. */
export function holds(hold: ChainHold, { belief, token }: ManagedLock): void {
  hold.belief = belief;
  hold.token = token;
}

/** A request for a lock that its own chain of calls holds. */
export class NestedRequest {
  private readonly inner: string;
  /** The furthest caller that the stack shows. */
  private readonly from: string | undefined;

  /** Made in the turn of the request. */
  constructor(
    private readonly hold: ChainHold,
    private readonly mode: Mode,
  ) {
    noted.add(hold.name);
    if (noted.size > KEPT_MAX) noted.clear();
    const places = placesOf(callersOf());
    [this.inner = 'an unknown place'] = places;
    this.from = places.length > 1 ? places.at(-1) : undefined;
  }

  /** Readers share a lock, unless a writer waits between them. */
  get isHopeless(): boolean {
    return this.mode === 'exclusive' || this.hold.mode === 'exclusive';
  }

  /** Whether the chain still holds the lock. */
  get isHeldAround(): boolean {
    return this.hold.belief?.isHeld === true;
  }

  /** `asked for at …, called from …, by the same chain of calls that holds it (…, taken at …)` */
  get told(): string {
    const { hold: { mode, token, place }, inner, from } = this;
    const called = from === undefined ? '' : `, called from ${from}`;
    const taken = place === undefined ? '' : `, taken at ${place}`;
    return `asked for at ${inner}${called}, by the same chain of calls that holds it (${mode}, token ${token}${taken})`;
  }

  error(): LockError {
    return new LockError('nested', `the lock ${JSON.stringify(this.hold.name)} was ${this.told}. To wait for it would be to wait for ever: hand the lock on that is held`);
  }

  /** Once for each pair of places. */
  warn(): void {
    const { name } = this.hold;
    const pair = JSON.stringify([name, this.inner, this.from, this.hold.place]);
    if (warned.has(pair)) return;
    if (warned.size === KEPT_MAX) warned.clear();
    warned.add(pair);
    process.emitWarning(
      `The lock ${JSON.stringify(name)} is ${this.told}. If that chain awaits this request, both wait for ever. ` +
        'Hand the lock on that is held, or ask with { nested: \'reject\' }',
      { type: 'NestedLockWarning', code: 'MAEKAWA_NESTED_LOCK' },
    );
  }
}

/** Where a lock is taken that was asked for within itself before. To be called in the turn in which it is asked for. */
export function placeOf(name: string): string | undefined {
  return noted.size > 0 && noted.has(name) ? placesOf(callersOf())[0] : undefined;
}

function callersOf(): string[] {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES_MAX;
  const { stack = '' } = new Error();
  Error.stackTraceLimit = limit;
  return stack.split('\n').slice(1).map((line) => line.trim().replace(/^at (?:async )?/, ''));
}

/** Of the package; null in a bundle, where this module has no file of its own. */
const OUR_DIRECTORY = ((): string | null => {
  const file = /(?:\(|at )((?:file:\/\/)?[^(]+?[\\/]locks[\\/]nesting\.[jt]s):\d+/.exec(new Error().stack ?? '')?.[1];
  return file === undefined ? null : dirname(dirname(file));
})();

function isOurs(frame: string): boolean {
  return OUR_DIRECTORY !== null && frame.includes(OUR_DIRECTORY);
}

/** Those of this package and of Node.js are no place of a user. In a bundle all are in one file, and all are told. */
function placesOf(frames: readonly string[]): readonly string[] {
  const foreign = frames.filter((frame) => !isOurs(frame) && !/\(?node:|^Promise\.|^new Promise|<anonymous>\)?$/.test(frame));
  return foreign.length > 0 ? foreign : frames;
}
