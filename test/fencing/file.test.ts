/**
 * The file adapter: with every order in which steps of several writers can come, some of which die on the
 * way; then with real processes that are stopped and killed.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import * as fs from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { fileStore } from '../../examples/fencing/file';
import type { FencedFile } from '../../examples/fencing/file';
import { connect, fence } from '../../src';
import type { FencedBy, FenceOutcome, FenceStore, FencingToken } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { holdsAsync } from '../support/holds';
import { Script, startCluster, until } from '../support/processes';
import { attempts, judge, writeLate } from './judge';
import type { Attempt } from './judge';

/** Every call of a writer under test waits here until it is its turn. */
const mockSteps = new AsyncLocalStorage<Writer>();

jest.mock('node:fs/promises', () => {
  const real = jest.requireActual<Record<string, (...args: unknown[]) => Promise<unknown>>>('node:fs/promises');
  const inTurn = (name: string) => async (...args: unknown[]): Promise<unknown> => {
    const writer = mockSteps.getStore();
    await writer?.turn();
    const result = await (real[name] as (...each: unknown[]) => Promise<unknown>)(...args);
    // What a power cut would do is not tested here, and waiting for the disk takes its time.
    if (name === 'open' && writer !== undefined) Object.assign(result as object, { sync: () => Promise.resolve() });
    return result;
  };
  return { ...real, ...Object.fromEntries(['mkdir', 'open', 'readFile', 'readdir', 'rename', 'rm'].map((name) => [name, inTurn(name)])) };
});

class Writer {
  state: 'running' | 'waiting' | 'over' = 'running';
  outcome: 'written' | 'refused' | 'dead' = 'dead';
  /** An error that is no refusal. */
  failure: Error | undefined;
  private go: () => void = () => undefined;
  private changed: () => void = () => undefined;

  constructor(readonly attempt: Attempt, store: FenceStore<FencedFile>) {
    mockSteps.run(this, () => {
      fence(store).write(attempt.tokens, (file) => append(file, attempt.id)).then(
        () => this.become('over', 'written'),
        (error: Error & { code?: string }) => {
          if (error.code !== 'fenced') this.failure = error;
          this.become('over', 'refused');
        },
      );
    });
  }

  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.go = resolve;
      this.become('waiting');
    });
  }

  /** Let it take one step, or end. */
  async step(): Promise<void> {
    this.state = 'running';
    this.go();
    await this.settled();
  }

  async settled(): Promise<void> {
    while (this.state === 'running') await new Promise<void>((resolve) => (this.changed = resolve));
  }

  private become(state: Writer['state'], outcome: Writer['outcome'] = this.outcome): void {
    this.state = state;
    this.outcome = outcome;
    this.changed();
  }
}

/** The file is the history of what was written to it. */
async function append(file: FencedFile, id: number): Promise<void> {
  file.replace(`${(await file.read())?.toString() ?? ''}${id}\n`);
}

function idsIn(path: string): number[] {
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').slice(0, -1).map(Number) : [];
}

/** Who takes the next step, and whether it dies there. */
interface Turn {
  readonly who: number;
  readonly dies: boolean;
}

/** Without the usual preference for small values, which would let one writer after the other run to its end. */
const schedules = fc.noBias(fc.record({
  all: attempts(5),
  turns: fc.noShrink(fc.array(fc.record({ who: fc.nat(59), dies: fc.nat(49).map((n) => n === 0) }), { minLength: 150, maxLength: 150 })),
}));

async function runSchedule(makeStore: (path: string) => FenceStore<FencedFile>, all: readonly Attempt[], turns: readonly Turn[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'maekawa-fence-'));
  const path = join(directory, 'report');
  try {
    const writers = all.map((attempt) => new Writer(attempt, makeStore(path)));
    for (const writer of writers) await writer.settled();
    let alive = writers;
    let before: number[] = [];
    for (let turn = 0; ; turn++) {
      alive = alive.filter((each) => each.state !== 'over');
      if (alive.length === 0) break;
      const { who, dies } = turns[turn] ?? { who: 0, dies: false };
      const writer = alive[who % alive.length] as Writer; // alive is not empty
      if (dies) alive = alive.filter((each) => each !== writer);
      else await writer.step();
      if (writer.failure !== undefined) throw writer.failure;
      // Whoever reads the plain file sees whole contents, one after the other.
      const now = idsIn(path);
      if (before.some((id, place) => now[place] !== id)) throw new Error(`the file went from ${before.join()} to ${now.join()}`);
      before = now;
      if (writer.outcome === 'written' && !now.includes(writer.attempt.id)) throw new Error(`write ${writer.attempt.id} was accepted and is not there`);
    }
    // Whoever comes next completes what a dead writer left.
    const last: Attempt = { id: all.length, tokens: ['', 'a', 'b'].map((name) => ({ name, token: 9 })) };
    await fence(makeStore(path)).write(last.tokens, (file) => append(file, last.id));
    const history = idsIn(path);
    judge(history.map((id) => [...all, last][id] as Attempt), writers.filter(({ outcome }) => outcome === 'refused').map(({ attempt }) => attempt));
    for (const { attempt: { id }, outcome } of writers) {
      const times = history.filter((each) => each === id).length;
      if (outcome === 'written' && times !== 1) throw new Error(`write ${id} was accepted and is there ${times} times`);
      if (outcome === 'refused' && times !== 0) throw new Error(`write ${id} was refused and is there ${times} times`);
      if (times > 1) throw new Error(`write ${id} is there ${times} times`);
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

test('in whatever order writers take their steps and wherever some die, the file is fenced', async () => {
  await holdsAsync(fc.asyncProperty(schedules, ({ all, turns }) => runSchedule(fileStore, all, turns)), 100);
});

test('the same schedules find the race of a plain check and rename', async () => {
  const plain = (path: string): FenceStore<FencedFile> => ({
    transact: async <T>(tokens: readonly FencingToken[], write: (file: FencedFile) => Promise<T>): Promise<FenceOutcome<T>> => {
      const read = (file: string): Promise<Buffer | null> => fs.readFile(file).catch(() => null);
      const seen = JSON.parse((await read(`${path}.tokens`))?.toString() ?? '{}') as Record<string, number>;
      for (const { name, token } of tokens) {
        const known = seen[name] ?? 0;
        if (token < known) return { kind: 'stale', name, seen: known };
        seen[name] = token;
      }
      let content: string | Uint8Array = '';
      const value = await write({ read: () => read(path), replace: (replacement) => void (content = replacement) });
      const draft = `${path}.${Math.random()}`;
      await fs.writeFile(draft, content);
      await fs.writeFile(`${path}.tokens`, JSON.stringify(seen));
      await fs.rename(draft, path);
      return { kind: 'written', value };
    },
  });
  await expect(fc.assert(fc.asyncProperty(schedules, ({ all, turns }) => runSchedule(plain, all, turns)), { numRuns: 1_000 })).rejects.toThrow();
});

describe('with a real file', () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'maekawa-fence-'));
    path = join(directory, 'report.json');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  test('the late write of a holder that was cut off is refused, and the content is that of the next one', async () => {
    await expect(writeLate(fileStore(path), (file, text) => file.replace(text))).rejects.toMatchObject({ code: 'fenced' });
    expect(readFileSync(path, 'utf8')).toBe('by the next holder');
    expect(readdirSync(directory).sort()).toEqual(['report.json', 'report.json.fence']);
    expect(readdirSync(`${path}.fence`)).toHaveLength(2); // the current version's name and tokens; nothing is left behind
  });

  test('a write that throws changes nothing; one that replaces nothing is remembered', async () => {
    const fenced = fence(fileStore(path));
    await expect(fenced.write({ name: 'a', token: 5 }, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await fenced.write({ name: 'a', token: 4 }, async (file) => {
      expect(await file.read()).toBeNull();
    });
    expect(existsSync(path)).toBe(false);
    await expect(fenced.write({ name: 'a', token: 3 }, () => undefined)).rejects.toMatchObject({ code: 'fenced' });
  });

  test('any string names a lock, and each is another one', async () => {
    const fenced = fence(fileStore(path));
    for (const name of ['', '__proto__', '\0', '\ud800', '\ufffd', 'a/b', '"']) {
      await fenced.write({ name, token: 2 }, () => undefined);
      await expect(fenced.write({ name, token: 1 }, () => undefined)).rejects.toMatchObject({ code: 'fenced' });
    }
  });

  test('a folder that lost its current version is an error and not an endless search', async () => {
    const fenced = fence(fileStore(path));
    await fenced.write({ name: 'a', token: 1 }, () => undefined);
    for (const file of readdirSync(`${path}.fence`)) if (file.endsWith('.current')) rmSync(join(`${path}.fence`, file));
    await expect(fenced.write({ name: 'a', token: 2 }, () => undefined)).rejects.toThrow(/report\.json\.fence is damaged/);
  });

  const root = join(__dirname, '../..');
  const modules = `
    const { connect, fence } = require(${JSON.stringify(join(root, 'dist/src'))});
    const { fileStore } = require(${JSON.stringify(join(root, 'dist/examples/fencing/file.js'))});
    const fenced = fence(fileStore(process.argv[1]));
  `;

  function run(script: string, ...args: string[]): Script {
    return new Script(modules + script, path, ...args);
  }

  test('processes that write at once and are killed in the middle: whole contents, and never an older holder after a newer one', async () => {
    const writer = `
      const [first, step] = process.argv.slice(2).map(Number);
      (async () => {
        for (let token = first; token < first + 40 * step; token += step) {
          await fenced.write({ name: 'a', token }, async (file) => file.replace((await file.read() ?? '') + token + '\\n'))
            .then(() => console.log(token), (error) => { if (error.code !== 'fenced') throw error; });
        }
      })();
    `;
    // Tokens go up in three lanes; whoever is behind is refused.
    const writers = [1, 2, 3].map((first) => run(writer, String(first), '3'));
    await until(() => idsIn(path).length > 3, 'some writes');
    writers[0]?.signal('SIGKILL');
    await until(() => idsIn(path).length > 8, 'some more writes');
    writers[1]?.signal('SIGSTOP');
    await writers[2]?.ended;
    writers[1]?.signal('SIGCONT');
    await writers[1]?.ended;
    await fence(fileStore(path)).write({ name: 'a', token: 1_000 }, (file) => append(file, 1_000));
    const history = idsIn(path);
    expect(history).toEqual([...history].sort((a, b) => a - b));
    const reported = writers.flatMap(({ output }) => output.split('\n').slice(0, -1).map(Number));
    expect(history).toEqual(expect.arrayContaining(reported));
    expect(history.length - reported.length).toBeLessThanOrEqual(2); // ours, and the one that could not say so any more
  });

  describe('and a cluster', () => {
    let cluster: Cluster;
    beforeAll(async () => {
      cluster = await startCluster({ leaseMs: 1_000 });
    });
    afterAll(() => cluster.remove());

    test('a process that is stopped while it holds the lock, and goes on when another has written, is refused', async () => {
      const holder = run(`
        connect({ addresses: [process.argv[2]] }).locks.acquire('report').then((lock) => {
          console.log('holding');
          process.stdin.once('data', async () => {
            await fenced.write(lock, (file) => file.replace('late')).catch((error) => console.log(error.code));
            process.exit();
          });
        });
      `, cluster.addressOf('n1'));
      await holder.prints(/holding/);
      holder.signal('SIGSTOP');
      const { locks, close } = connect({ addresses: [cluster.addressOf('n2')] });
      await locks.request('report', { waitMs: 20_000 }, (lock: FencedBy) => fence(fileStore(path)).write(lock, (file) => file.replace('in time')));
      holder.child.stdin?.write('go on\n');
      holder.signal('SIGCONT');
      await holder.ended;
      expect(holder).toMatchObject({ output: 'holding\nfenced\n', errors: '' });
      expect(readFileSync(path, 'utf8')).toBe('in time');
      await close();
    });
  });
});
