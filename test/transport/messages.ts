/** Arbitrary lock names and messages, as the core may send them. */
import fc from 'fast-check';
import { claimOf } from '../../src/core';
import type { Message } from '../../src/core';
import { lamportTimeMax } from '../../src/transport/codec';
import { lockNameFault } from '../../src/lock-name';

export const NODES = ['n1', 'n2', 'ñ-3'];

/** Any JavaScript string: pairs and lone halves of surrogates too. */
const anyString = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 40 }).map((units) => String.fromCharCode(...units));
const anyPlainString = fc.string({ unit: 'binary', maxLength: 40 });
const longString = fc.tuple(fc.constantFrom('x', 'ö', '語', '🔒', '\ud800'), fc.integer({ min: 1, max: 4096 })).map(([unit, count]) => unit.repeat(count));

export const lockName: fc.Arbitrary<string> = fc
  .oneof(fc.constant(''), anyPlainString, anyString, longString)
  .filter((name) => lockNameFault(name) === null);

export const lamportTime = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 2 ** 32 - 2, max: 2 ** 32 + 2 }),
  fc.maxSafeNat().filter((value) => value >= 1 && value <= lamportTimeMax),
  fc.constant(lamportTimeMax),
);

/** Two Lamport times, of which the first is no smaller. */
const clockAndTimes = fc
  .tuple(lamportTime, lamportTime, lamportTime, lamportTime)
  .map((times) => times.sort((a, b) => b - a));

const sentAtMs = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.maxSafeNat());

export const message: fc.Arbitrary<Message> = fc
  .record({
    lock: lockName,
    times: clockAndTimes,
    sentAtMs,
    mode: fc.constantFrom('exclusive' as const, 'shared' as const),
    flag: fc.boolean(),
    steals: fc.boolean(),
    holds: fc.boolean(),
    shows: fc.boolean(),
    node: fc.constantFrom(...NODES),
    kind: fc.constantFrom('request' as const, 'grant' as const, 'release' as const, 'inquire' as const, 'yield' as const),
  })
  .map(({ lock, times: [clock, timestamp, grant, other], sentAtMs, mode, flag, steals, holds, shows, node, kind }): Message => {
    const common = { lock, clock, timestamp };
    const claim = claimOf(steals, holds);
    switch (kind) {
      case 'request':
        return { kind, ...common, mode, claim, keep: flag, sentAtMs, heldGrant: shows ? grant : null };
      case 'grant':
        return { kind, ...common, grant, sentAtMs, contended: flag, ...(shows ? { contenderTimestamp: other } : {}) };
      case 'release':
        return { kind, ...common, ...(shows ? { nextTimestamp: other } : {}) };
      case 'inquire':
        return { kind, ...common, grant, contender: { request: { timestamp: other, node }, claim }, sentAtMs };
      case 'yield':
        return { kind, ...common, grant };
    }
  });
