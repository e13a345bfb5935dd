/** Tokens without a second round trip (protocol.md section 7). */
import { RETRY_MS, SLACK, asking, grant, holding, retaining } from './harness';

describe('tokens (protocol.md section 7)', () => {
  test('token: exceeds the clock of every Grant in the quorum (protocol.md section 7)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500, { clock: 560 }));
    expect(n1.receives('n3', grant(timestamp, 510)).of('entered')).toMatchObject([{ token: 561 }]);
  });

  test('token: is at most SLACK above the lowest clock of the quorum (protocol.md section 7)', () => {
    for (const [apart, callers] of [[SLACK - 1, [1]], [SLACK, []]] as const) {
      const { n1, timestamp } = asking();
      n1.receives('n2', grant(timestamp, 500));
      expect(n1.receives('n3', grant(timestamp, 500 + apart)).callersIn).toEqual(callers);
    }
  });

  test('token: clocks too far apart are brought together by a repeat, at once the first time (protocol.md section 7)', () => {
    const { n1, timestamp } = asking();
    n1.pass(300);
    n1.receives('n2', grant(timestamp, 500));
    const repeat = n1.receives('n3', grant(timestamp, 900)).sentOf('request');
    expect(repeat).toMatchObject([
      { to: 'n2', timestamp, heldGrant: 500, sentAtMs: 300 },
      { to: 'n3', timestamp, heldGrant: 900, sentAtMs: 300 },
    ]);
    for (const { clock } of repeat) expect(clock).toBeGreaterThan(900);
    // n2 took the clock over from the Request and sends the same Grant again.
    expect(n1.receives('n2', grant(timestamp, 500, { clock: 903, sentAtMs: 300 })).of('entered')).toMatchObject([{ token: 904 }]);
  });

  test('token: clocks still too far apart wait for the usual interval: no chase of their own tail (protocol.md section 11)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n3', grant(timestamp, 900));
    expect(n1.receives('n3', grant(timestamp, 900, { clock: 1300 })).sent()).toEqual([]);
    expect(n1.receives('n2', grant(timestamp, 500, { clock: 903 })).sent()).toEqual([]);
    expect(n1.advance(RETRY_MS - 1).sent()).toEqual([]);
    expect(n1.advance(1).sentOf('request')).toHaveLength(2);
  });

  test('token: each request may bring the clocks together at once one time (protocol.md section 7)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n3', grant(timestamp, 900));
    n1.release(1);
    const next = n1.acquire(2).sentOf('request')[0]?.timestamp ?? NaN;
    n1.receives('n2', grant(next, 1500));
    expect(n1.receives('n3', grant(next, 1900)).sentOf('request')).toHaveLength(2);
  });

  test('token: a vote whose clock is too far behind is left out when the others suffice (protocol.md section 7)', () => {
    const { n1, timestamp } = asking();
    n1.receives('n2', grant(timestamp, 500));
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.receives('n4', grant(timestamp, 900));
    const outcome = n1.receives('n3', grant(timestamp, 910));
    expect(outcome.of('entered')).toMatchObject([{ token: 911 }]);
    expect(n1.view()?.requester).toMatchObject({ state: 'held', granted: ['n3', 'n4'] });
    // Whether it would run out meanwhile is not followed any more, so a renewal of it is given back.
    expect(n1.receives('n2', grant(timestamp, 500, { clock: 920 })).sent()).toMatchObject([{ to: 'n2', kind: 'yield', grant: 500 }]);
  });

  test('token: while held a vote counts only if its clock is at least the token less SLACK (protocol.md section 7)', () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    expect(n1.receives('n4', grant(timestamp, 511 - SLACK - 1)).reasons).toEqual(['clock is too far behind the token']);
    expect(n1.view()?.requester).toMatchObject({ granted: ['n2', 'n3'] });
    expect(n1.receives('n4', grant(timestamp, 511 - SLACK)).reasons).toEqual([]);
    expect(n1.view()?.requester).toMatchObject({ granted: ['n2', 'n3', 'n4'] });
  });

  test('token: the next Request carries a clock of at least the token to an arbiter that is behind it (protocol.md section 7)', () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.receives('n4', grant(timestamp, 300));
    for (const { clock } of n1.advance(RETRY_MS).sentOf('request')) expect(clock).toBeGreaterThanOrEqual(511);
  });

  test('token: a late vote with a low clock lowers how far the tokens may go (protocol.md section 7)', () => {
    const { n1, timestamp } = holding();
    n1.event({ kind: 'peerDown', peer: 'n3' });
    n1.receives('n4', grant(timestamp, 512 - SLACK));
    n1.release(1);
    expect(n1.acquire(2).of('entered')).toMatchObject([{ token: 512 }]);
    n1.release(2);
    // Token 513 would be above 412 + SLACK, n4's promise. So a new request.
    expect(n1.acquire(3).sentOf('release')).toHaveLength(3);
  });

  test('token: a renewal with a higher clock gives room for more tokens (protocol.md section 7)', () => {
    const { n1, timestamp } = retaining();
    const enterAndLeave = (): number => n1.acquire(2).of('entered')[0]?.token ?? NaN;
    let last = 511;
    while (last < 599) {
      last = enterAndLeave();
      n1.release(2);
    }
    for (const arbiter of ['n2', 'n3'] as const) {
      n1.receives(arbiter, grant(timestamp, arbiter === 'n2' ? 500 : 510, { clock: 700 }));
    }
    expect(enterAndLeave()).toBe(600);
    n1.release(2);
    expect(enterAndLeave()).toBe(601);
  });

  test('token: a late copy of a Grant takes back nothing that a newer one promised (protocol.md section 7)', () => {
    const { n1, timestamp } = holding();
    n1.receives('n2', grant(timestamp, 500, { clock: 700 }));
    n1.receives('n3', grant(timestamp, 510, { clock: 700 }));
    n1.receives('n2', grant(timestamp, 500));
    n1.receives('n3', grant(timestamp, 510));
    for (let caller = 2; caller <= 150; caller++) n1.acquire(caller);
    for (let caller = 1; caller <= 149; caller++) n1.release(caller);
    expect(n1.view()?.requester).toMatchObject({ state: 'held', inside: [150], token: 511 + 149 });
  });
});
