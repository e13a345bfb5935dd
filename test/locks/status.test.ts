/** The core's views in public words: relative times, numbers of callers, and no more than a state has. */
import type { LockView } from '../../src/core';
import { lockStatus, missingVotes, nodeState } from '../../src/locks/status';
import type { WhyNoVote } from '../../src/runtime/lending';

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

describe('what a node can do', () => {
  const down: readonly [string, WhyNoVote] = ['n2', { kind: 'down', reason: 'connection refused' }];
  const silent: readonly [string, WhyNoVote] = ['n1', { kind: 'silent', forMs: 2_001 }];
  const full: readonly [string, WhyNoVote] = ['n1', { kind: 'cannot write', reason: 'cannot write to the data directory: ENOSPC' }];

  test.each<[string, { why?: readonly (readonly [string, WhyNoVote])[]; mayAsk?: boolean; hasQuorum?: boolean; graceLeftMs?: number }, object]>([
    ['ready', { why: [down] }, { kind: 'ready', servesLocks: true, lendsVote: true, text: 'a lock can be had here, and it lends its vote' }],
    ['silent, with the votes of others', { why: [silent] }, {
      kind: 'silent', servesLocks: true, lendsVote: false, forMs: 2_001, text: 'lends no vote for 3 s more after its restart',
    }],
    ['silent, without', { why: [silent, down], hasQuorum: false }, {
      kind: 'silent', servesLocks: false, lendsVote: false, forMs: 2_001,
      text: 'lends no vote for 3 s more after its restart; no lock can be had here: the nodes that it reaches and that lend their votes contain no quorum. Missing: n2 (connection refused)',
    }],
    ['silent, alone', { why: [silent], hasQuorum: false }, {
      kind: 'silent', servesLocks: false, lendsVote: false, text: 'lends no vote for 3 s more after its restart; no lock can be had here: its own vote is missing',
    }],
    ['without memory', { why: [['n1', { kind: 'learns' }]], mayAsk: false }, {
      kind: 'silent', servesLocks: false, lendsVote: false,
      text: 'lends no vote yet: it lost its memory, and learns from its peers first; no lock can be had here: it takes no part yet',
    }],
    ['without a quorum', { why: [down], hasQuorum: false }, {
      kind: 'no-quorum', servesLocks: false, lendsVote: true,
      text: 'no lock can be had here: the nodes that it reaches and that lend their votes contain no quorum. Missing: n2 (connection refused)',
    }],
    ['alone', { why: [['n1', { kind: 'has not begun' }], down], hasQuorum: false }, {
      kind: 'no-quorum', servesLocks: false, lendsVote: false,
      text: 'no lock can be had here: the nodes that it reaches and that lend their votes contain no quorum. Missing: n2 (connection refused)',
    }],
    ['a full disk', { why: [full], mayAsk: false }, {
      kind: 'cannot-write', servesLocks: false, lendsVote: false,
      text: 'no lock can be had here: it lends no vote: cannot write to the data directory: ENOSPC',
    }],
    ['stopping', { graceLeftMs: 29_500 }, {
      kind: 'stopping', servesLocks: false, lendsVote: true, forMs: 29_500,
      text: 'takes no new requests, and waits up to 30 s more for what is held; then it stops',
    }],
  ])('%s', (_, { why = [], mayAsk = true, hasQuorum = true, graceLeftMs = null }, expected) => {
    expect(nodeState('n1', { why: new Map(why), mayAsk }, hasQuorum, graceLeftMs)).toMatchObject(expected);
  });

  test('the missing votes are named in the order of the nodes', () => {
    expect(missingVotes(new Map([['n3', { kind: 'silent', forMs: 700 }], down]))).toBe('n2 (connection refused), n3 (lends no vote for 700 ms more after its restart)');
  });
});
