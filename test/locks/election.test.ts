/** Elections: terms do not overlap, each hears of its end before a successor may enter, and observers hear of every node's leader. */
import type { Election, Leader, LockError, Term } from '../../src';
import { testCluster } from '../../src/testing';
import type { TestCluster } from '../../src/testing';

const LEASE_MS = 6_000;

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await testCluster({ nodes: 3, leaseMs: LEASE_MS });
});
afterEach(() => cluster.stop());

function electionOf(id: string, label?: string): Election {
  return cluster.node(id).locks.election('leader', label === undefined ? {} : { label });
}

/** Work that ends when its term does. */
function untilOver(term: Term): Promise<void> {
  return new Promise((resolve) => {
    if (term.signal.aborted) resolve();
    else term.signal.addEventListener('abort', () => resolve());
  });
}

describe('campaign', () => {
  test('gives a term with a token and a signal; the next one follows when it is resigned, with a larger token', async () => {
    const first = await electionOf('n1').campaign();
    expect(first).toMatchObject({ name: 'leader', mode: 'exclusive' });
    expect(first.validForMs()).toBeGreaterThan(0);
    const second = electionOf('n2').campaign();
    await cluster.advance(3 * LEASE_MS);
    expect(first.signal.aborted).toBe(false);
    await first.resign();
    await first.resign();
    const next = await cluster.advanceUntil(second);
    expect(next.token).toBeGreaterThan(first.token);
    await next.resign();
  });

  test('what follows the signal hears of the end before the lock is given back', async () => {
    const term = await electionOf('n1').campaign();
    const seen: unknown[] = [];
    const { locks } = cluster.node('n1');
    let heldThen: Promise<{ held: unknown[] }> | undefined;
    term.signal.addEventListener('abort', () => {
      seen.push((term.signal.reason as LockError).code);
      heldThen = locks.query({ scope: 'node' });
      // The query answers in a later turn, so look at once too: the lock is still valid within this listener.
      seen.push(term.validForMs() > 0);
    });
    await term.resign();
    expect(seen).toEqual(['aborted', true]);
    expect((await heldThen)?.held).toEqual([]);
  });

  test('await using ends it', async () => {
    let term: Term;
    {
      await using own = await electionOf('n1').campaign();
      term = own;
    }
    expect(term.signal.aborted).toBe(true);
    await cluster.advanceUntil(electionOf('n2').campaign());
  });

  test('the election is the exclusive lock of its name', async () => {
    const term = await electionOf('n1').campaign();
    await expect(cluster.advanceUntil(cluster.node('n2').locks.tryAcquire('leader'))).resolves.toBeNull();
    const thief = cluster.advanceUntil(cluster.node('n2').locks.acquire('leader', { steal: true }));
    const lock = await thief;
    expect(term.signal.reason).toMatchObject({ code: 'stolen' });
    expect(lock.token).toBeGreaterThan(term.token);
  });

  test('gives up when the signal aborts, which has no effect on a term', async () => {
    const controller = new AbortController();
    const term = await electionOf('n1').campaign({ signal: controller.signal });
    const second = electionOf('n2').campaign({ signal: controller.signal });
    await cluster.settle();
    controller.abort('enough');
    await expect(second).rejects.toBe('enough');
    expect(term.signal.aborted).toBe(false);
    await expect(electionOf('n3').campaign({ signal: controller.signal })).rejects.toBe('enough');
  });

  test('what it is called with is checked', async () => {
    const { locks } = cluster.node('n1');
    expect(() => locks.election('-x')).toThrow(/reserved/);
    expect(() => locks.election(7 as unknown as string)).toThrow(TypeError);
    expect(() => locks.election('x', 'n1' as unknown as object)).toThrow(/options of an election/);
    expect(() => locks.election('x', { label: 7 as unknown as string })).toThrow(/label of an election/);
    await expect(locks.election('x').run(undefined as unknown as () => void)).rejects.toThrow(/needs a function/);
  });
});

describe('run', () => {
  test('settles as its work does, once the lock was given back', async () => {
    await expect(electionOf('n1').run((term) => term.token)).resolves.toBeGreaterThan(0);
    await expect(electionOf('n1').run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect((await cluster.node('n1').locks.query({ scope: 'node' })).held).toEqual([]);
  });

  test('leads again after its lease was lost, with a larger token, and no two of its work run at once', async () => {
    const tokens: number[] = [];
    let running = 0;
    let most = 0;
    const done = electionOf('n1').run(async (term) => {
      most = Math.max(most, ++running);
      tokens.push(term.token);
      if (tokens.length === 1) {
        await untilOver(term);
        expect((term.signal.reason as LockError).code).toBe('lost');
        running--;
        throw new Error('what it throws after a loss is of no interest');
      }
      running--;
      return 'led again';
    });
    await cluster.settle();
    cluster.isolate('n1');
    const other = electionOf('n2').campaign();
    const successor = await cluster.advanceUntil(other);
    expect(tokens).toHaveLength(1);
    cluster.heal();
    await cluster.advance(LEASE_MS);
    expect(tokens).toHaveLength(1);
    await successor.resign();
    expect(await cluster.advanceUntil(done)).toBe('led again');
    expect(tokens[1]).toBeGreaterThan(successor.token);
    expect(successor.token).toBeGreaterThan(tokens[0] ?? Infinity);
    expect(most).toBe(1);
  });

  test('a lost term waits for nobody; another leads while the work of the old one cleans up', async () => {
    let finish: () => void = () => undefined;
    let ended: Term | undefined;
    const done = electionOf('n1').run((term) => {
      if (ended !== undefined) return 'second';
      ended = term;
      return new Promise<string>((resolve) => (finish = () => resolve('first')));
    });
    await cluster.settle();
    cluster.isolate('n1');
    const successor = await cluster.advanceUntil(electionOf('n2').campaign());
    expect(ended?.signal.aborted).toBe(true);
    await successor.resign();
    cluster.heal();
    await cluster.advance(LEASE_MS);
    // It does not stand again before its work has ended, so others do.
    const third = await cluster.advanceUntil(electionOf('n3').campaign());
    finish();
    await cluster.settle();
    await third.resign();
    expect(await cluster.advanceUntil(done)).toBe('second');
  });

  test('its signal ends the term too: the lock is given back when the work has settled, and it rejects with the reason', async () => {
    const controller = new AbortController();
    let finish: () => void = () => undefined;
    let led: Term | undefined;
    const done = electionOf('n1').run(async (term) => {
      led = term;
      await new Promise<void>((resolve) => (finish = resolve));
    }, { signal: controller.signal });
    await cluster.settle();
    controller.abort('shutdown');
    expect(led?.signal.reason).toBe('shutdown');
    expect(led?.validForMs()).toBeGreaterThan(0);
    const next = electionOf('n2').campaign();
    let isNext = false;
    next.then(() => (isNext = true), () => undefined);
    await cluster.advance(3 * LEASE_MS);
    expect(isNext).toBe(false); // cleaning up takes as long as it takes
    finish();
    await expect(done).rejects.toBe('shutdown');
    await cluster.advanceUntil(next);
  });

  test.each([
    ['an AbortError is taken for the reason', (): Error => new DOMException('x', 'AbortError'), 'shutdown'],
    ['any other failure is told', (): Error => 'a failure of its own' as unknown as Error, 'a failure of its own'],
  ])('what its work throws after its signal: %s', async (_name, error, told) => {
    const controller = new AbortController();
    const done = electionOf('n1').run(async (term) => {
      await untilOver(term);
      return Promise.reject(error());
    }, { signal: controller.signal });
    await cluster.settle();
    controller.abort('shutdown');
    await expect(done).rejects.toBe(told);
  });

  test('when its node stops, the work is told, and it rejects with closed', async () => {
    let reason: unknown;
    const done = electionOf('n1').run(async (term) => {
      await untilOver(term);
      reason = term.signal.reason;
    });
    const outcome = done.catch((error: unknown) => error);
    await cluster.settle();
    await cluster.node('n1').stop();
    expect(reason).toMatchObject({ code: 'closed' });
    expect(await outcome).toMatchObject({ code: 'closed' });
    await cluster.advanceUntil(electionOf('n2').campaign(), 0); // without a lease
  });
});

describe('an abort of run', () => {
  // Between the grant and the start of the work there are some turns, and nothing listens in them.
  test.each(Array.from({ length: 16 }, (_, turns) => turns))('%d turns after it began is heard', async (turns) => {
    await (await electionOf('n1').campaign()).resign(); // its node keeps the votes
    const controller = new AbortController();
    const run = electionOf('n1').run(untilOver, { signal: controller.signal });
    const heard = expect(run).rejects.toBe('enough');
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    controller.abort('enough');
    await heard;
  });
});

describe('observe', () => {
  function labelOf(result: IteratorResult<Leader | null, undefined>): string | null | undefined {
    return result.done === true ? undefined : result.value && (result.value.label ?? result.value.clientId);
  }

  async function nextOf(observed: AsyncIterator<Leader | null, undefined>): Promise<string | null | undefined> {
    return labelOf(await cluster.advanceUntil(observed.next()));
  }

  test('nobody, then the leader of any node, then nobody, then the next', async () => {
    const observed = electionOf('n3').observe();
    expect(await nextOf(observed)).toBeNull();
    const term = await electionOf('n1', 'one').campaign();
    expect(await nextOf(observed)).toBe('one');
    await term.resign();
    expect(await nextOf(observed)).toBeNull();
    const second = await cluster.advanceUntil(electionOf('n2').campaign());
    expect(await cluster.advanceUntil(observed.next())).toEqual({ done: false, value: { clientId: 'n2', token: second.token } });
    expect(await observed.return?.()).toEqual({ done: true, value: undefined });
    expect(await observed.next()).toEqual({ done: true, value: undefined });
  });

  test('a slow consumer gets the newest only', async () => {
    const observed = electionOf('n3').observe();
    expect(await nextOf(observed)).toBeNull();
    for (const label of ['a', 'b', 'c']) {
      const term = await cluster.advanceUntil(electionOf('n1', label).campaign());
      await cluster.settle();
      if (label !== 'c') await term.resign();
    }
    expect(await nextOf(observed)).toBe('c');
  });

  test('the loop over it ends it, and nothing is left behind', async () => {
    await electionOf('n1', 'one').campaign();
    // As often as the observer looks.
    const asked = jest.spyOn(cluster.node('n1') as unknown as { holdersOf: () => unknown }, 'holdersOf');
    const seen: unknown[] = [];
    const loop = (async () => {
      for await (const leader of electionOf('n2').observe()) {
        seen.push(leader?.label);
        if (leader !== null) break;
      }
    })();
    await cluster.advanceUntil(loop);
    expect(seen).toEqual(['one']);
    expect(asked).toHaveBeenCalled();
    asked.mockClear();
    await cluster.advance(10_000);
    expect(asked).not.toHaveBeenCalled();
  });

  test('its signal rejects it, once', async () => {
    const controller = new AbortController();
    const observed = electionOf('n1').observe({ signal: controller.signal });
    expect(await nextOf(observed)).toBeNull();
    const next = observed.next();
    controller.abort('enough');
    await expect(next).rejects.toBe('enough');
    expect(await observed.next()).toEqual({ done: true, value: undefined });
    await expect(electionOf('n1').observe({ signal: controller.signal }).next()).rejects.toBe('enough');
  });

  test('a leader whose node is dead is reported for at most a lease more, or until there is another', async () => {
    await electionOf('n1', 'one').campaign();
    const observed = electionOf('n3').observe();
    expect(await nextOf(observed)).toBe('one');
    cluster.node('n1').crash();
    const deadAtMs = cluster.now();
    expect(await nextOf(observed)).toBeNull();
    expect(cluster.now() - deadAtMs).toBeGreaterThan(LEASE_MS / 2);
    expect(cluster.now() - deadAtMs).toBeLessThanOrEqual(LEASE_MS + 1_000);
    // And one who stands: nobody is reported in between.
    await cluster.advanceUntil(electionOf('n2', 'two').campaign());
    expect(await nextOf(observed)).toBe('two');
  });

  test('a leader that was cut off is found again within about a second', async () => {
    await electionOf('n1', 'one').campaign();
    const observed = electionOf('n3').observe();
    expect(await nextOf(observed)).toBe('one');
    cluster.cut('n1', 'n3');
    await cluster.advance(2 * LEASE_MS); // renewed through n2 all the time
    expect(await nextOf(observed)).toBeNull();
    cluster.heal();
    const fromMs = cluster.now();
    expect(await nextOf(observed)).toBe('one');
    expect(cluster.now() - fromMs).toBeLessThanOrEqual(1_000);
  });

  test('readers lead nobody, and a semaphore of the same name is another matter', async () => {
    const { locks } = cluster.node('n1');
    await cluster.advanceUntil(locks.semaphore('leader', 1).acquire());
    await cluster.advanceUntil(locks.acquire('leader', { mode: 'shared' }));
    expect(await nextOf(electionOf('n2').observe())).toBeNull();
  });

  test('ends when its node stops', async () => {
    const observed = electionOf('n1').observe();
    expect(await nextOf(observed)).toBeNull();
    const next = observed.next().catch((error: unknown) => error);
    await cluster.node('n1').stop();
    expect(await next).toMatchObject({ code: 'closed' });
  });

  test('however many observe a name, the nodes are asked about it once a second', async () => {
    const asked = jest.spyOn(cluster.node('n2') as unknown as { holdersOf: () => unknown }, 'holdersOf');
    const all = Array.from({ length: 50 }, () => electionOf('n1').observe());
    await cluster.advanceUntil(Promise.all(all.map((each) => each.next())));
    await cluster.advance(10_000);
    expect(asked.mock.calls.length).toBeGreaterThanOrEqual(10);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(11);
    for (const each of all) await each.return?.();
    asked.mockClear();
    await cluster.advance(10_000);
    expect(asked.mock.calls).toEqual([]);
  });
});
