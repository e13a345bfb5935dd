/** What an earlier life means for the next one (protocol.md section 16). */
import type { LockError } from '../../src';
import { lifeToCome } from '../../src/node/earlier-life';
import type { LifeQuestion, LifeToCome } from '../../src/node/earlier-life';

const OLD = 'aaaaaaaaaaaaaaaa';
const NEW = 'bbbbbbbbbbbbbbbb';
const SLACK = 1_000;
const change = { from: OLD, silentMs: 30_000, clock: 1_000_000 };

function life(question: Partial<LifeQuestion> & { readonly config?: Partial<LifeQuestion['configuration']> } = {}): LifeToCome {
  const { config, ...rest } = question;
  return lifeToCome({
    id: 'n1', configuration: { leaseMs: 5_000, layout: NEW, ...config }, slack: SLACK, directory: { existed: false, terms: null }, firstStart: false, ...rest,
  });
}

function ranUnder(leaseMs: number, layout: string | null, slack = SLACK, act: number | null = null): LifeQuestion['directory'] {
  return { existed: true, terms: { leaseMs, slack, layout, act } };
}

function refusal(act: () => unknown): LockError {
  try {
    act();
  } catch (error) {
    return error as LockError;
  }
  throw new Error('expected a LockError');
}

const texts = ({ remarks }: LifeToCome): string => remarks.map(({ level, text }) => `${level}: ${text}`).join('\n');

describe('the lease (protocol.md section 16)', () => {
  test('one like the last: silent for it, and nothing to remark', () => {
    const own = { leaseMs: 5_000, slack: SLACK, layout: NEW, act: null };
    expect(life({ directory: ranUnder(5_000, NEW) })).toEqual({
      firstStart: false, silentMs: 5_000, slackBefore: SLACK, clockFloor: 0, whileSilent: own, whenLending: own, remarks: [],
    });
  });

  test('a shorter one: silent for the old one, which is remembered until the node lends', () => {
    const next = life({ directory: ranUnder(20_000, NEW) });
    expect(next).toMatchObject({ silentMs: 20_000, whileSilent: { leaseMs: 20_000 }, whenLending: { leaseMs: 5_000 } });
    expect(texts(next)).toMatch(/^info: silent for 20000 ms, longer than the lease/);
    // It crashes before it lends, and starts with a lease that is shorter still.
    expect(life({ directory: { existed: true, terms: next.whileSilent }, config: { leaseMs: 500 } })).toMatchObject({ silentMs: 20_000 });
  });

  test('a longer one is remembered before the first vote is lent under it', () => {
    expect(life({ directory: ranUnder(1_000, NEW) })).toMatchObject({ silentMs: 5_000, whileSilent: { leaseMs: 5_000 }, remarks: [] });
  });

  test('the larger SLACK counts, in both directions', () => {
    expect(life({ directory: ranUnder(5_000, NEW, 7_000) })).toMatchObject({ slackBefore: 7_000, whileSilent: { slack: 7_000 }, whenLending: { slack: SLACK } });
    expect(life({ directory: ranUnder(5_000, NEW, 1) })).toMatchObject({ slackBefore: SLACK, whileSilent: { slack: SLACK } });
  });

  test('a directory of version 1: silent for the lease as configured, SLACK was 2^24, and the log says what is not known', () => {
    const next = life({ directory: { existed: true, terms: null } });
    expect(next).toMatchObject({ silentMs: 5_000, slackBefore: 2 ** 24, whileSilent: { layout: null, slack: 2 ** 24 }, whenLending: { layout: NEW, slack: SLACK } });
    expect(texts(next)).toMatch(/^warn: .*did not note the lease and the layout.*5000 ms/);
  });
});

describe('the layout (protocol.md section 16)', () => {
  test('another one is refused: both are named, and what to do', () => {
    expect(refusal(() => life({ directory: ranUnder(5_000, OLD) }))).toMatchObject({
      code: 'config',
      message: expect.stringMatching(/n1 last lent its vote under layout a{16}, and the configuration is layout b{16}.*stop all nodes and run `maekawa quorums change OLD\.json NEW\.json`/) as string,
    });
  });

  test('the act lets it in: silent for the longer lease; the old layout is remembered until the node lends', () => {
    const next = life({ directory: ranUnder(5_000, OLD), config: { change } });
    expect(next).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000, whileSilent: { layout: OLD, leaseMs: 30_000 }, whenLending: { layout: NEW, leaseMs: 5_000 } });
    // A crash in between: the same file is accepted again, and so is the old one, under which nothing else was lent.
    const directory = { existed: true, terms: next.whileSilent };
    expect(life({ directory, config: { change } }).silentMs).toBe(30_000);
    expect(life({ directory, config: { layout: OLD } }).silentMs).toBe(30_000);
  });

  test('a new member knows nothing, and the act tells it how long to be silent and where to begin', () => {
    expect(life({ config: { change } })).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000, whileSilent: { layout: null, leaseMs: 30_000 } });
    expect(life({ config: { change: { ...change, silentMs: 100 } } })).toMatchObject({ silentMs: 5_000 });
  });

  test('later restarts under the present layout are as any other', () => {
    expect(life({ directory: ranUnder(5_000, NEW, SLACK, change.clock), config: { change } })).toMatchObject({ silentMs: 5_000, clockFloor: 0, remarks: [] });
  });

  test('whoever ran under it before the layout that ran last is as a new member', () => {
    expect(life({ directory: ranUnder(5_000, NEW), config: { change } })).toMatchObject({ silentMs: 30_000, clockFloor: 1_000_000, whenLending: { act: change.clock } });
  });

  test('the act of another change does not let it in', () => {
    const error = refusal(() => life({ directory: ranUnder(5_000, 'cccccccccccccccc'), config: { change } }));
    expect(error).toMatchObject({ code: 'config', message: expect.stringMatching(/c{16}.*b{16}, which took the place of layout a{16}.*new, empty data directory/) as string });
  });
});

describe('--first-start (protocol.md section 16)', () => {
  test('is believed by a node that remembers nothing', () => {
    expect(life({ firstStart: true })).toMatchObject({ firstStart: true, remarks: [] });
    expect(life()).toMatchObject({ firstStart: false });
  });

  test('is not believed by one that ran before, and the log says why', () => {
    const next = life({ firstStart: true, directory: ranUnder(5_000, NEW) });
    expect(next.firstStart).toBe(false);
    expect(texts(next)).toMatch(/^warn: ignored --first-start \(startNode: firstStart\): this data directory says that the node ran before/);
  });

  test('contradicts a configuration that took the place of another', () => {
    expect(refusal(() => life({ firstStart: true, config: { change } }))).toMatchObject({ code: 'config', message: expect.stringMatching(/--first-start.*took the place of layout a{16}/) as string });
  });
});
