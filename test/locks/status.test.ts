/** The core's views in public words: relative times, numbers of callers, and no more than a state has. */
import type { LockView } from '../../src/core';
import { lockStatus } from '../../src/locks/status';

const NOW_MS = 10_000;
const request = { timestamp: 7, node: 'n1' };
const open = { request, mode: 'exclusive', steals: false, asked: ['n1', 'n2'], granted: ['n1'], waitingCallers: [4, 5] } as const;
const own = { mode: 'exclusive', asked: ['n1', 'n2'], granted: ['n1'], waiting: 2 } as const;

function view(parts: Partial<LockView>): LockView {
  return { lock: 'stock', grants: [], queue: [], requester: null, ...parts };
}

test('a lock that callers of other nodes use alone has no callers', () => {
  expect(lockStatus(view({}), NOW_MS)).toEqual({ name: 'stock', grants: [], queue: [], callers: null });
});

test('a loan says for how much longer, and never less than nothing', () => {
  const grants = [
    { request, claim: 'holds', mode: 'shared', grant: 9, expiresAtMs: NOW_MS + 300 },
    { request: { timestamp: 8, node: 'n2' }, claim: 'waits', mode: 'shared', grant: 10, expiresAtMs: NOW_MS - 1 },
  ] as const;
  expect(lockStatus(view({ grants }), NOW_MS).grants).toEqual([
    { node: 'n1', timestamp: 7, mode: 'shared', endsInMs: 300 },
    { node: 'n2', timestamp: 8, mode: 'shared', endsInMs: 0 },
  ]);
});

test('a request that waits says how long ago it was heard of', () => {
  const queue = [{ request, claim: 'waits', mode: 'exclusive', heardAtMs: NOW_MS - 40 }] as const;
  expect(lockStatus(view({ queue }), NOW_MS).queue).toEqual([{ node: 'n1', timestamp: 7, mode: 'exclusive', heardAgoMs: 40 }]);
});

test.each<[NonNullable<LockView['requester']>, object]>([
  [{ state: 'idle', waitingCallers: [] }, { state: 'idle', waiting: 0 }],
  [{ state: 'waiting', ...open, contended: true }, { state: 'waiting', ...own }],
  [
    { state: 'held', ...open, contended: true, token: 11, validUntilMs: NOW_MS + 50, inside: [1, 2, 3] },
    { state: 'held', ...own, token: 11, validForMs: 50, inside: 3 },
  ],
  [{ state: 'retained', ...open, token: 11, validUntilMs: NOW_MS - 50 }, { state: 'retained', ...own, token: 11, validForMs: 0 }],
  [{ state: 'recalled', ...open, contended: true, inside: [1] }, { state: 'recalled', ...own, inside: 1 }],
])('callers: $state', (requester, expected) => {
  expect(lockStatus(view({ requester }), NOW_MS).callers).toEqual(expected);
});
