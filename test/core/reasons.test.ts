/** Every message that is dropped has a named reason, and every reason has a conversation that shows it. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { REQUESTS_OF_A_NODE_MAX } from '../../src/core/arbiter';
import { BORN_AT, TestNode, VALID_FOR_MS, asking, grant, grantNumber, holding, inquire, release, request, yieldOf } from './harness';
import type { Outcome } from './harness';

const CONVERSATIONS: Record<string, () => Outcome> = {
  'no such grant': () => new TestNode().receives('n2', yieldOf(200, 150)),
  'grant number is old': () => {
    const n1 = new TestNode();
    const number = grantNumber(n1.receives('n2', request(200)));
    n1.receives('n2', yieldOf(200, number));
    return n1.receives('n2', yieldOf(200, number));
  },
  'too many locks': () => new TestNode({ locksMax: 0 }).receives('n2', request(200)),
  'too many requests of the node for the lock': () => {
    const n1 = new TestNode();
    for (let reader = 0; reader < REQUESTS_OF_A_NODE_MAX; reader++) n1.receives('n2', request(200 + reader, { mode: 'shared' }));
    return n1.receives('n2', request(200 + REQUESTS_OF_A_NODE_MAX, { mode: 'shared' }));
  },
  'another configuration may begin': () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.event({ kind: 'silence', untilMs: null, renews: false });
    return n1.receives('n2', request(200));
  },
  'another process has this id': () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.event({ kind: 'namesake', peer: 'n3' });
    return n1.receives('n2', request(200));
  },
  'no such request': () => new TestNode().receives('n2', release(200)),
  'grant was given back': () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', inquire(timestamp, 500, { timestamp: 1, node: 'n4' }));
    return n1.receives('n2', grant(timestamp, 500));
  },
  'arbiter was not asked': () => {
    const { n1, timestamp } = asking();
    return n1.receives('n4', grant(timestamp, 500));
  },
  'answers a Request from the future': () => {
    const { n1, timestamp } = asking();
    return n1.receives('n2', grant(timestamp, 500, { sentAtMs: 1 }));
  },
  'lease ran out on the way': () => {
    const { n1, timestamp } = asking();
    n1.pass(VALID_FOR_MS);
    return n1.receives('n2', grant(timestamp, 500));
  },
  'grant is older than the one in hand': () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    return n1.receives('n2', grant(timestamp, 499));
  },
  'clock is too far behind the token': () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    return n1.receives('n4', grant(timestamp, 300));
  },
  'lock was recalled': () => {
    const { n1, timestamp } = holding({ remote: true });
    n1.steal(2);
    return n1.receives('n2', grant(timestamp, 500));
  },
  'contender is younger': () => {
    const { n1, timestamp } = asking();
    return n1.receives('n2', inquire(timestamp, 500, { timestamp: 9999, node: 'n4' }));
  },
  'too many messages are held back': () => {
    const n1 = new TestNode({ diskIsStuck: true, heldBackMax: 2 });
    return n1.acquire(1); // Two Requests to peers fill it, and the Grant to itself finds no room.
  },
  'request of an earlier life': () => new TestNode().receives('n2', grant(BORN_AT - 1, 500)),
};

test.each(Object.entries(CONVERSATIONS))('a message is dropped because: %s', (reason, conversation) => {
  const outcome = conversation();
  expect(outcome.of('ignored')).toEqual([expect.objectContaining({ kind: 'ignored', reason })]);
});

test('every reason that the core names has a conversation here', () => {
  const folder = join(__dirname, '../../src/core');
  const source = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8')).join('\n');
  const reasons = new Set<string>();
  // Named on the spot, or returned by one of the functions `ignore…`.
  for (const [, reason = ''] of source.matchAll(/ignore\(from, message, '([^']+)'/g)) reasons.add(reason);
  for (const [body] of source.matchAll(/\bignore\w+\([^{]*\): string \| null \{[^}]*\n {0,2}\}/g)) {
    for (const [, reason = ''] of body.matchAll(/return '([^']+)'/g)) reasons.add(reason);
  }
  expect([...reasons].sort()).toEqual(Object.keys(CONVERSATIONS).sort());
});
