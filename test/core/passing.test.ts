/** Locks that a client passes on to its own callers behind (protocol.md section 15.5). */
import type { CallerId, ClientNumber, Grant } from '../../src/core';
import { LEASE_MS, N1_ASKS, TestNode, grant, inquire, only, release, request } from './harness';
import type { Outcome } from './harness';

const TOKEN = 511;

function acquireOf(n1: TestNode, client: ClientNumber, caller: CallerId, more: { readonly keeps?: true } = {}): Outcome {
  return n1.event({ kind: 'acquire', lock: 'a', mode: 'exclusive', caller, remote: true, client, ...more });
}

/** The first of the Requests that went out: they all are alike. */
function asked(outcome: Outcome): { readonly timestamp: number } {
  const [first] = outcome.sentOf('request');
  if (first === undefined) throw new Error('nobody was asked');
  return first;
}

/** Callers 1, 2 and 3 of client 7 stand in line, in this order, and the first has asked. */
function inLine(n1 = new TestNode({ coterie: N1_ASKS })): { readonly n1: TestNode; readonly timestamps: readonly number[] } {
  const { timestamp } = asked(acquireOf(n1, 7, 1));
  acquireOf(n1, 7, 2);
  acquireOf(n1, 7, 3);
  return { n1, timestamps: [timestamp, timestamp + 1, timestamp + 2] };
}

/** Both votes come: #500 of n2 and #510 of n3. */
function granted({ n1, timestamps: [timestamp = 0] }: ReturnType<typeof inLine>, of: Partial<Grant> = {}): Outcome {
  n1.receives('n2', grant(timestamp, 500, of));
  return n1.receives('n3', grant(timestamp, 510));
}

/** Fails where nobody enters. */
const passTo = (outcome: Outcome): readonly CallerId[] => only(outcome.of('entered')).passTo ?? [];

describe('passing: to whom (protocol.md section 15.5)', () => {
  test('passing: to the callers of its client that stand directly behind, with a token for each', () => {
    expect(granted(inLine()).of('entered')).toEqual([
      { kind: 'entered', lock: 'a', caller: 1, mode: 'exclusive', token: TOKEN, validUntilMs: expect.any(Number) as number, roomUntil: TOKEN + 2, passTo: [2, 3] },
    ]);
  });

  test.each([
    ['a caller of another client', (n1: TestNode) => acquireOf(n1, 8, 9)],
    ['a caller of this node', (n1: TestNode) => n1.acquire(9)],
    ['a client that passes nothing on', (n1: TestNode) => n1.acquireRemotely(9)],
  ])('passing: not past %s', (_, stand) => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    const first = asked(acquireOf(n1, 7, 1));
    acquireOf(n1, 7, 2);
    stand(n1);
    acquireOf(n1, 7, 3);
    expect(passTo(granted({ n1, timestamps: [first.timestamp] }))).toEqual([2]);
  });

  test('passing: not from a caller that passes nothing on, nor where nobody stands behind', () => {
    const plain = new TestNode({ coterie: N1_ASKS });
    const { timestamp } = asked(plain.acquireRemotely(1));
    acquireOf(plain, 7, 2);
    expect(only(granted({ n1: plain, timestamps: [timestamp] }).of('entered'))).not.toHaveProperty('roomUntil');
    const alone = new TestNode({ coterie: N1_ASKS });
    const { timestamp: askedAlone } = asked(acquireOf(alone, 7, 1));
    expect(only(granted({ n1: alone, timestamps: [askedAlone] }).of('entered'))).not.toHaveProperty('roomUntil');
  });

  test('passing: past no request of which a Grant says that it waits, and asked before', () => {
    const one = inLine();
    const [, second = 0, third = 0] = one.timestamps;
    expect(passTo(granted(one, { contended: true, contenderTimestamp: third }))).toEqual([2]);
    expect(passTo(granted(inLine(), { contended: true, contenderTimestamp: second }))).toEqual([]);
    expect(passTo(granted(inLine(), { contended: true, contenderTimestamp: third + 1 }))).toEqual([2, 3]);
    // An arbiter that does not say who waits may know of anybody.
    expect(passTo(granted(inLine(), { contended: true }))).toEqual([]);
  });

  test('passing: past no request of which an Inquire tells, though its vote was counted before', () => {
    const line = inLine();
    const [first = 0, , third = 0] = line.timestamps;
    line.n1.receives('n2', grant(first, 500, { contended: true, contenderTimestamp: third + 50 }));
    line.n1.receives('n2', inquire(first, 500, { timestamp: third, node: 'n4' }));
    expect(passTo(line.n1.receives('n3', grant(first, 510)))).toEqual([2]);
  });

  test.each([
    [1, []],
    [2, [2]],
    [3, [2, 3]],
  ])('passing: once others are known to want the lock, to nobody that asked after a vote was lent: its arbiter may have heard of others since (%d after the first)', (after, expected) => {
    const line = inLine();
    const [first = 0] = line.timestamps;
    line.n1.receives('n2', grant(first, first + after, { contended: true, contenderTimestamp: 9_999 }));
    expect(passTo(line.n1.receives('n3', grant(first, first + 90)))).toEqual(expected);
  });

  test('passing: past no request of which a Grant says that it comes, though none waits yet', () => {
    const line = inLine();
    const [, , third = 0] = line.timestamps;
    expect(passTo(granted(line, { contenderTimestamp: third }))).toEqual([2]);
  });

  test('passing: what a vote that was given back said counts no more', () => {
    const line = inLine();
    const [first = 0] = line.timestamps;
    line.n1.receives('n2', grant(first, 500, { contended: true, contenderTimestamp: first - 1 }));
    expect(line.n1.receives('n2', inquire(first, 500, { timestamp: first - 1, node: 'n4' })).sentOf('yield')).toHaveLength(1);
    line.n1.receives('n2', grant(first, 505, { contended: true, contenderTimestamp: 9_999 }));
    expect(passTo(line.n1.receives('n3', grant(first, 510)))).toEqual([2, 3]);
  });

  test('passing: to 64 at most, and with no more than half of the room that the votes leave', () => {
    const n1 = new TestNode({ coterie: N1_ASKS, slack: 1_000_000 });
    const first = asked(acquireOf(n1, 7, 1));
    for (let caller = 2; caller < 100; caller++) acquireOf(n1, 7, caller);
    expect(passTo(granted({ n1, timestamps: [first.timestamp] }))).toEqual(Array.from({ length: 64 }, (_, place) => place + 2));
    // Tokens up to 500 + 15, the first of them 511.
    expect(passTo(granted(inLine(new TestNode({ coterie: N1_ASKS, slack: 15 }))))).toEqual([2, 3]);
    expect(passTo(granted(inLine(new TestNode({ coterie: N1_ASKS, slack: 14 }))))).toEqual([2]);
  });
});

describe('passing: what comes of it (protocol.md section 15.5)', () => {
  test('passing: to the core the first of them is inside until it is released, and whoever was let in has left the line', () => {
    const line = inLine();
    granted(line, { contended: true, contenderTimestamp: 9_999 });
    expect(line.n1.release(2).effects).toEqual([]);
    expect(line.n1.view()?.requester).toMatchObject({ state: 'held', inside: [1], waitingCallers: [3] });
    const over = line.n1.release(1, 'a', TOKEN + 1);
    for (const { clock } of over.sentOf('release')) expect(clock).toBeGreaterThanOrEqual(TOKEN + 1);
    // One that was not let in goes on under its own timestamp.
    expect(over.sentOf('request')).toMatchObject([{ timestamp: line.timestamps[2] }, { timestamp: line.timestamps[2] }]);
  });

  test('passing: of a client that is gone without a word every token was taken', () => {
    const line = inLine();
    granted(line);
    line.n1.release(2);
    line.n1.release(3);
    line.n1.release(1);
    expect(line.n1.acquire(4).of('entered')).toMatchObject([{ token: TOKEN + 3 }]);
  });

  test('passing: it is not told that others want the lock: they stand behind those to whom it is passed on', () => {
    const line = inLine();
    granted(line);
    const [first = 0] = line.timestamps;
    expect(line.n1.receives('n2', inquire(first, 500, { timestamp: 9_999, node: 'n4' })).of('wanted')).toEqual([]);
    expect(line.n1.acquire(4).of('wanted')).toEqual([]);
  });

  test('passing: a client that keeps its locks too is told to pass this one on, and not to keep it', () => {
    const n1 = new TestNode({ coterie: N1_ASKS });
    const first = asked(acquireOf(n1, 7, 1, { keeps: true }));
    acquireOf(n1, 7, 2, { keeps: true });
    expect(granted({ n1, timestamps: [first.timestamp] }).of('entered')).toMatchObject([{ caller: 1, roomUntil: TOKEN + 1, passTo: [2] }]);
  });

  test('passing: a thief takes the lock from whoever has it, and the room counts as taken', () => {
    const line = inLine();
    granted(line);
    expect(line.n1.steal(9).of('recalled')).toMatchObject([{ caller: 1 }]);
    for (const { clock } of line.n1.release(1).sentOf('release')) expect(clock).toBeGreaterThanOrEqual(TOKEN + 2);
  });

  test('passing: a lock that has run out at the node is lost with all that it was passed on to', () => {
    const line = inLine();
    granted(line);
    expect(line.n1.advance(2 * LEASE_MS).of('recalled')).toMatchObject([{ caller: 1 }]);
  });
});

describe('passing: what an arbiter says of those that wait (protocol.md section 5.3)', () => {
  test('passing: a Grant says which request waits for the vote since longest by its timestamp, and none where none does', () => {
    const n1 = new TestNode();
    expect(n1.receives('n2', request(200)).sentOf('grant')[0]).not.toHaveProperty('contenderTimestamp');
    n1.receives('n3', request(210));
    n1.receives('n4', request(220));
    expect(n1.receives('n2', request(200)).sentOf('grant')).toMatchObject([{ contended: true, contenderTimestamp: 210 }]);
    expect(n1.receives('n2', release(200)).sentOf('grant')).toMatchObject([{ to: 'n3', contenderTimestamp: 220 }]);
  });

  test('passing: the oldest by its timestamp, though one that steals or holds goes first; and no reader where a reader has the vote', () => {
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    n1.receives('n4', request(230, { claim: 'steals' }));
    expect(n1.receives('n2', request(200)).sentOf('grant')).toMatchObject([{ contenderTimestamp: 210 }]);
    const reader = new TestNode();
    reader.receives('n2', request(200, { mode: 'shared' }));
    reader.receives('n3', request(240));
    reader.receives('n4', request(210, { mode: 'shared' }));
    expect(reader.receives('n2', request(200, { mode: 'shared' })).sentOf('grant')).toMatchObject([{ contenderTimestamp: 240 }]);
  });

  test('passing: a Release says for whom its node asks next, and a Grant of the vote that it frees hands that on', () => {
    const line = inLine(new TestNode({ coterie: N1_ASKS, retain: false }));
    granted(line);
    const over = line.n1.release(1, 'a', TOKEN);
    expect(over.sentOf('release').map(({ nextTimestamp }) => nextTimestamp)).toEqual([line.timestamps[1], line.timestamps[1]]);
    const n1 = new TestNode();
    n1.receives('n2', request(200));
    n1.receives('n3', request(210));
    expect(n1.receives('n2', release(200, { nextTimestamp: 190 })).sentOf('grant')).toMatchObject([{ to: 'n3', contended: false, contenderTimestamp: 190 }]);
    // It was of that one event.
    expect(n1.receives('n3', request(210)).sentOf('grant')[0]).not.toHaveProperty('contenderTimestamp');
  });

  test('passing: a Release of the last in line says nothing of a next one', () => {
    const n1 = new TestNode({ coterie: N1_ASKS, retain: false });
    const first = asked(acquireOf(n1, 7, 1));
    granted({ n1, timestamps: [first.timestamp] });
    for (const message of n1.release(1).sentOf('release')) expect(message).not.toHaveProperty('nextTimestamp');
  });
});
