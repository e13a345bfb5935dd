/**
 * Sees everything, and so checks what no node can see alone: exclusion and token-rises
 * (protocol.md section 10). Believes nothing but what a user of the lock was told.
 */
import { isCompatible } from '../../src/core';
import type { CallerId, Effect, LockName, Mode, NodeId, Token } from '../../src/core';

/** Someone uses a lock, until then by its own clock. Outlives its node: a client need not die with it. */
interface Hold {
  readonly node: NodeId;
  readonly caller: CallerId;
  readonly mode: Mode;
  validUntilMs: number;
}

interface LockRecord {
  holds: Hold[];
  highest: Token;
  highestExclusive: Token;
}

type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>;

export class Referee {
  private readonly records = new Map<LockName, LockRecord>();

  /** What this entry violates, in words. */
  entered(node: NodeId, { lock, caller, mode, token, validUntilMs }: EffectOf<'entered'>, nowMs: number): string[] {
    const record = this.record(lock);
    const violations = record.holds
      .filter((hold) => hold.validUntilMs > nowMs && !isCompatible(hold.mode, mode))
      .map((hold) => `exclusion is broken: ${hold.node} holds ${lock} until ${hold.validUntilMs}`);
    const earlier = mode === 'exclusive' ? record.highest : record.highestExclusive;
    if (token <= earlier) violations.push(`token-rises is broken: ${token} comes after ${earlier}`);
    record.highest = Math.max(record.highest, token);
    if (mode === 'exclusive') record.highestExclusive = Math.max(record.highestExclusive, token);
    record.holds.push({ node, caller, mode, validUntilMs });
    return violations;
  }

  renewed({ lock, callers, validUntilMs }: EffectOf<'renewed'>): void {
    for (const hold of this.record(lock).holds) if (callers.includes(hold.caller)) hold.validUntilMs = validUntilMs;
  }

  /** The caller does not use the lock any more. */
  left(lock: LockName, caller: CallerId): void {
    const record = this.record(lock);
    record.holds = record.holds.filter((hold) => hold.caller !== caller);
  }

  private record(lock: LockName): LockRecord {
    let record = this.records.get(lock);
    if (record === undefined) {
      record = { holds: [], highest: 0, highestExclusive: 0 };
      this.records.set(lock, record);
    }
    return record;
  }
}
