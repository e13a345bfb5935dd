/** Local callers: one request in the protocol, the others in line behind it (protocol.md sections 6 and 9). */
import { RETRY_MS, VALID_FOR_MS, asking, grant, holding, inquire } from './harness';

const OTHER = { timestamp: 1, node: 'n4' };

describe('callers in line (protocol.md section 6)', () => {
  test('line: a second caller of the node waits behind the first, and nothing is sent for it (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    expect(n1.acquire(2).sent()).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ request: { timestamp }, waitingCallers: [1, 2] });
  });

  test('line: callers enter in the order in which they asked (protocol.md section 9)', () => {
    const { n1 } = holding();
    n1.acquire(2);
    n1.acquire(3);
    expect(n1.release(1).callersIn).toEqual([2]);
    expect(n1.release(2).callersIn).toEqual([3]);
  });

  test('line: each caller cancels for itself (protocol.md section 6)', () => {
    const { n1 } = holding();
    n1.acquire(2);
    n1.acquire(3);
    expect(n1.release(2).effects).toEqual([]);
    expect(n1.release(1).callersIn).toEqual([3]);
  });

  test('line: when the first cancels, the next one asks with its own timestamp, taken when it asked (protocol.md section 9)', () => {
    const { n1, timestamp } = asking();
    n1.acquire(2);
    n1.receives('n2', grant(timestamp, 500));
    const outcome = n1.release(1);
    expect(outcome.sentOf('release')).toMatchObject([{ to: 'n2', timestamp }, { to: 'n3', timestamp }]);
    // The clock is beyond 500 by now. Waiting in the local line cost the caller no place among all nodes.
    expect(outcome.sentOf('request')).toMatchObject([{ to: 'n2', timestamp: timestamp + 1 }, { to: 'n3', timestamp: timestamp + 1 }]);
  });

  test('line: a cancel further back leaves the request in the protocol alone (protocol.md section 6)', () => {
    const { n1, timestamp } = asking();
    n1.acquire(2);
    expect(n1.release(2).effects).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ state: 'waiting', request: { timestamp }, waitingCallers: [1] });
  });

  test('line: with contention the lock is released for real, and the next caller takes its turn among all nodes (protocol.md section 9)', () => {
    const { n1, timestamp } = holding();
    n1.acquire(2);
    n1.receives('n2', inquire(timestamp, 500, OTHER));
    const outcome = n1.release(1);
    expect(outcome.callersIn).toEqual([]);
    expect(outcome.sent()).toMatchObject([
      { to: 'n2', kind: 'release', timestamp },
      { to: 'n3', kind: 'release', timestamp },
      { to: 'n2', kind: 'request', keep: false },
      { to: 'n3', kind: 'request', keep: false },
    ]);
  });

  test('line: when the hold is lost the next caller asks anew (protocol.md section 6)', () => {
    const { n1, timestamp } = holding();
    n1.acquire(2);
    const outcome = n1.advance(VALID_FOR_MS);
    expect(outcome.callersOut).toEqual([1]);
    expect(outcome.callersIn).toEqual([]);
    expect(outcome.sentOf('request').slice(-2).every((request) => request.timestamp > timestamp)).toBe(true);
  });

  test('line: an exclusive hold lets no second caller in (protocol.md section 1)', () => {
    const { n1 } = holding();
    expect(n1.acquire(2).callersIn).toEqual([]);
    expect(n1.acquire(3, 'shared').callersIn).toEqual([]);
  });
});

describe('readers of one node (protocol.md section 9)', () => {
  test('readers: ride on the request that holds, with its token and without a message (protocol.md section 9)', () => {
    const { n1 } = holding({ mode: 'shared' });
    const outcome = n1.acquire(2, 'shared');
    expect(outcome.effects).toMatchObject([{ kind: 'entered', caller: 2, mode: 'shared', token: 511, validUntilMs: VALID_FOR_MS }]);
  });

  test('readers: do not ride once another node waits: that would starve it (protocol.md section 9)', () => {
    const { n1, timestamp } = holding({ mode: 'shared' });
    n1.receives('n2', inquire(timestamp, 500, OTHER));
    expect(n1.acquire(2, 'shared').callersIn).toEqual([]);
    expect(n1.release(1).sentOf('release')).toHaveLength(2);
  });

  test('readers: do not ride past a writer in the local line (protocol.md section 9)', () => {
    const { n1 } = holding({ mode: 'shared' });
    n1.acquire(2);
    expect(n1.acquire(3, 'shared').callersIn).toEqual([]);
    expect(n1.acquire(4, 'shared').callersIn).toEqual([]);
    // The writer gives up: nobody waits any more whom the readers would starve.
    expect(n1.release(2).callersIn).toEqual([3, 4]);
  });

  test('readers: all in line enter together, up to the next writer (protocol.md section 9)', () => {
    const { n1, timestamp } = asking({ mode: 'shared' });
    n1.acquire(2, 'shared');
    n1.acquire(3);
    n1.acquire(4, 'shared');
    n1.receives('n2', grant(timestamp, 500));
    expect(n1.receives('n3', grant(timestamp, 510)).callersIn).toEqual([1, 2]);
    expect(n1.view()?.requester).toMatchObject({ inside: [1, 2], waitingCallers: [3, 4] });
  });

  test('readers: the last one to leave releases the lock (protocol.md section 9)', () => {
    const { n1 } = holding({ mode: 'shared', retain: false });
    n1.acquire(2, 'shared');
    expect(n1.release(1).effects).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ inside: [2] });
    expect(n1.release(2).sentOf('release')).toHaveLength(2);
  });

  test('readers: each is told of a renewal and of a loss (protocol.md section 6)', () => {
    const { n1, timestamp } = holding({ mode: 'shared' });
    n1.acquire(2, 'shared');
    n1.advance(RETRY_MS);
    n1.receives('n2', grant(timestamp, 500, { sentAtMs: RETRY_MS }));
    const renewal = n1.receives('n3', grant(timestamp, 510, { sentAtMs: RETRY_MS }));
    expect(renewal.of('renewed')).toMatchObject([{ callers: [1, 2] }]);
    expect(n1.advance(VALID_FOR_MS).callersOut).toEqual([1, 2]);
  });
});
