/** Which node a process that is no node asks next, and for how long; the nodes are played. */
import { LockError } from '../../src';
import type { ManagedLock } from '../../src/locks/managed-lock';
import type { ClusterSnapshot } from '../../src/locks/types';
import { NodeConnection } from '../../src/client/node-connection';
import type { RemoteOptions } from '../../src/client/remote-lock';
import { RemoteLockManager } from '../../src/client/remote';

/** A node that answers as it is told, and what it was asked. */
class PlayedNode extends NodeConnection {
  readonly asked: string[] = [];

  constructor(address: string, private readonly play: { readonly answers: boolean }) {
    super(address);
  }

  override acquire(name: string): Promise<ManagedLock> {
    this.asked.push(name);
    return this.answer(lockNamed(name));
  }

  override queryCluster(): Promise<ClusterSnapshot> {
    this.asked.push('query');
    return this.answer({ held: [], pending: [], unanswered: [] });
  }

  private answer<Answer>(answer: Answer): Promise<Answer> {
    return this.play.answers ? Promise.resolve(answer) : Promise.reject(new LockError('unreachable', `${this.address} is silent`));
  }
}

function lockNamed(name: string): ManagedLock {
  return {
    name, mode: 'exclusive', token: 1, signal: new AbortController().signal, lostReason: undefined, belief: { isHeld: true },
    validForMs: () => 1, onRenewed: () => undefined, onLost: () => undefined, heardBy: () => undefined, release: () => Promise.resolve(), giveBack: () => null,
    keepAtLeast: () => undefined, showKeptOn: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

let manager: RemoteLockManager;
afterEach(() => manager.close());

describe('requests that fail at one node together', () => {
  const start = (): PlayedNode[] => {
    const nodes = [new PlayedNode('dead:1', { answers: false }), new PlayedNode('live:1', { answers: true })];
    manager = new RemoteLockManager(nodes);
    return nodes;
  };

  test('each go on to the next, and the dead one is asked once by each', async () => {
    const [dead, live] = start();
    // Too short for a second round.
    const locks = await Promise.all(['a', 'b', 'c'].map((name) => manager.acquire(name, { waitMs: 100 })));
    expect(locks.map(({ name }) => name)).toEqual(['a', 'b', 'c']);
    expect(dead?.asked).toEqual(['a', 'b', 'c']);
    expect(live?.asked).toEqual(['a', 'b', 'c']);
    await manager.acquire('d');
    expect(dead?.asked).toHaveLength(3);
  });

  test('questions are asked one for all: the dead one is asked by the first, the live one twice, and each caller has a list of its own', async () => {
    const [dead, live] = start();
    const answers = await Promise.all(Array.from({ length: 100 }, () => manager.query()));
    expect(new Set(answers.map(({ held }) => held)).size).toBe(100);
    expect(dead?.asked).toHaveLength(1);
    expect(live?.asked).toHaveLength(2);
  });
});

test.each([300, 1_000, 5_000])('waitMs %i: no node answers until shortly before the end, and then one does', async (waitMs) => {
  jest.useFakeTimers();
  try {
    const play = { answers: false };
    manager = new RemoteLockManager([new PlayedNode('late:1', play)]);
    const acquired = manager.acquire('a', { waitMs });
    await jest.advanceTimersByTimeAsync(waitMs - 25);
    play.answers = true;
    await jest.advanceTimersByTimeAsync(25);
    await expect(acquired).resolves.toMatchObject({ name: 'a' });
    play.answers = false;
    const refused = expect(manager.acquire('b', { waitMs })).rejects.toMatchObject({ code: 'unreachable' });
    await jest.advanceTimersByTimeAsync(waitMs);
    await refused;
  } finally {
    jest.useRealTimers();
  }
});

test('a request that leaves a node without quorum waits at the next for what is left of its patience', async () => {
  /** Grants nothing; notes for how long it may. */
  class Patient extends NodeConnection {
    readonly waits: (number | undefined)[] = [];
    private onLeave: (reason: LockError) => void = () => undefined;

    override leave(reason: LockError): void {
      this.onLeave(reason);
    }

    constructor(address: string, private readonly serves: boolean) {
      super(address);
    }

    override acquire(_name: string, { waitMs, signal }: RemoteOptions = {}): Promise<ManagedLock> {
      this.waits.push(waitMs);
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
        this.onLeave = reject;
        setTimeout(() => reject(new LockError('timeout', `not within ${waitMs} ms`)), waitMs);
      });
    }

    override isServing(): Promise<boolean> {
      return Promise.resolve(this.serves);
    }
  }

  jest.useFakeTimers();
  try {
    const [torn, whole] = [new Patient('torn:1', false), new Patient('whole:1', true)];
    manager = new RemoteLockManager([torn, whole]);
    const refused = expect(manager.acquire('a', { waitMs: 1_200 })).rejects.toMatchObject({ code: 'timeout' });
    await jest.advanceTimersByTimeAsync(1_000);
    torn.onNoQuorum();
    await jest.advanceTimersByTimeAsync(200);
    await refused;
    expect(torn.waits).toEqual([1_200]);
    expect(whole.waits).toEqual([200]);
  } finally {
    jest.useRealTimers();
  }
});
