/** A fenced resource in memory, for tests of code that writes through a fence. */
import { admit } from '../fencing';
import type { FenceOutcome, FenceStore, FencingToken, TokensSeen } from '../fencing';

export interface MemoryFenceStore<Value> extends FenceStore<{ value: Value }> {
  /** As of the last write that was accepted. */
  readonly value: Value;
}

/**
 * `fence(memoryFenceStore(0)).write(lock, (resource) => { resource.value += 1; })`. A write changes a copy
 * (by `structuredClone`), which counts only when the write has succeeded; writes come one after the other.
 */
export function memoryFenceStore<Value>(value: Value): MemoryFenceStore<Value> {
  return new MemoryStore(value);
}

class MemoryStore<Value> implements MemoryFenceStore<Value> {
  private seen: ReadonlyMap<string, TokensSeen> = new Map();
  private last: Promise<unknown> = Promise.resolve();

  constructor(public value: Value) {}

  transact<T>(tokens: readonly FencingToken[], write: (resource: { value: Value }) => Promise<T>): Promise<FenceOutcome<T>> {
    const outcome = this.last.then(() => this.attempt(tokens, write));
    this.last = outcome.catch(() => undefined);
    return outcome;
  }

  private async attempt<T>(tokens: readonly FencingToken[], write: (resource: { value: Value }) => Promise<T>): Promise<FenceOutcome<T>> {
    const seen = new Map(this.seen);
    for (const token of tokens) {
      const admitted = admit(token, seen.get(token.name));
      if (admitted === null) return { kind: 'stale', name: token.name, seen: seen.get(token.name)?.any ?? 0 };
      seen.set(token.name, admitted);
    }
    const resource = { value: structuredClone(this.value) };
    const value = await write(resource);
    this.seen = seen;
    this.value = resource.value;
    return { kind: 'written', value };
  }
}
