/**
 * A script for a page: what the web platform's own tests ask of `navigator.locks`, in our words. It knows
 * nothing but the lock managers that it is handed, runs unchanged in a browser and over our nodes, and says
 * what it saw. `sees` is what the specification makes of it. Law: no imports but types, no Node.js.
 */
import type { Lock, LockInfo, LockManager, LockOptions } from '../../../src';

/** Lock managers of one origin or cluster, in contexts of their own where the place has several. */
export type Contexts = readonly [LockManager, LockManager, LockManager];

export interface Case {
  readonly title: string;
  readonly sees: unknown;
  /** Chromium sees something else, and why. */
  readonly exceptInChromium?: string;
  /** More nodes than one see something else, and why: `web-locks.test.ts` tests what. */
  readonly exceptOnSeveralNodes?: string;
  /** `name` is a lock name that no other case uses. */
  run(contexts: Contexts, name: string): Promise<unknown>;
}

interface Gate {
  readonly opened: Promise<unknown>;
  open(value?: unknown): void;
}

function gate(): Gate {
  let open: (value?: unknown) => void = () => undefined;
  const opened = new Promise<unknown>((resolve) => (open = resolve));
  return { opened, open: (value) => open(value) };
}

/** How a promise ended, as data. */
function outcome(promise: Promise<unknown>): Promise<unknown> {
  return promise.then((value) => ({ value }), (error: unknown) => ({ error: nameOf(error) }));
}

function nameOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'name' in error ? error.name : error;
}

/** What calling it does: throwing would be wrong. */
function call(locks: LockManager, ...args: unknown[]): Promise<unknown> {
  try {
    const returned: unknown = (locks.request as (...all: unknown[]) => unknown).apply(locks, args);
    return returned instanceof Promise || (returned as { constructor: { name: string } }).constructor.name === 'Promise'
      ? outcome(returned as Promise<unknown>)
      : Promise.resolve('no promise');
  } catch (error) {
    return Promise.resolve({ thrown: nameOf(error) });
  }
}

interface Held {
  readonly lock: Lock;
  readonly done: Promise<unknown>;
  release(value?: unknown): void;
}

/** Resolves when the lock is held, to what releases it. */
async function hold(locks: LockManager, name: string, options: LockOptions = {}): Promise<Held> {
  const { opened, open } = gate();
  const granted = gate();
  const done = outcome(locks.request(name, options, (lock) => {
    granted.open(lock);
    return opened;
  }));
  const lock = (await Promise.race([granted.opened, done])) as Lock;
  return { lock, done, release: open };
}

/** Ask for a lock and keep it for good. What becomes of the request, of which nobody needs to know. */
function keep(locks: LockManager, name: string, options: LockOptions = {}): Promise<unknown> {
  const request = locks.request(name, options, () => new Promise(() => undefined));
  request.catch(() => undefined);
  return request;
}

async function modes(locks: LockManager, name: string): Promise<unknown> {
  const { held, pending } = await locks.query();
  const of = (list: readonly LockInfo[]): string[] => list.filter((lock) => lock.name === name).map((lock) => lock.mode);
  return { held: of(held), pending: of(pending) };
}

const never = (): never => {
  throw new Error('the callback must not run');
};

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

const TYPE_ERROR = { error: 'TypeError' };
const NOT_SUPPORTED = { error: 'NotSupportedError' };

const BY_NAME = 'it lists locks of different names by name';

export const cases: readonly Case[] = [
  // --- arguments ------------------------------------------------------------------------------
  {
    title: 'request needs a name and a callback',
    sees: [TYPE_ERROR, TYPE_ERROR],
    run: ([a], name) => Promise.all([call(a), call(a, name)]),
  },
  {
    title: 'the callback is a function',
    sees: times(8, () => TYPE_ERROR),
    run: ([a], name) => Promise.all([
      ...[undefined, null, 123, 'abc', [], {}, Promise.resolve()].map((wrong) => call(a, name, wrong)),
      call(a, name, {}, {}),
    ]),
  },
  {
    title: 'the mode is exclusive or shared, and exclusive if nothing is said',
    sees: [TYPE_ERROR, TYPE_ERROR, TYPE_ERROR, ...['exclusive', 'shared', 'exclusive', 'exclusive'].map((value) => ({ value }))],
    run: ([a], name) => Promise.all(['foo', null, '', 'exclusive', 'shared', undefined, { toString: () => 'exclusive' }].map((mode) =>
      call(a, name, { mode }, (lock: Lock) => lock.mode))),
  },
  {
    title: 'options: none at all, truthy ones, an unknown one, a function in their place; nothing else than an object',
    sees: [...times(6, () => ({ value: 'ran' })), TYPE_ERROR, TYPE_ERROR],
    run: ([a], name) => Promise.all([undefined, null, {}, { ifAvailable: 0, steal: '' }, { unknown: true }, never, 123, 'abc'].map((options, index) =>
      call(a, `${name} ${index}`, options, () => 'ran'))),
  },
  {
    title: 'a truthy ifAvailable or steal is meant',
    sees: { value: [{ value: null }, NOT_SUPPORTED] },
    run: ([a], name) => call(a, name, () => Promise.all([
      call(a, name, { ifAvailable: 1 }, (lock: unknown) => lock),
      call(a, name, { ifAvailable: 'yes', steal: {} }, never),
    ])),
  },
  {
    title: 'the signal is an AbortSignal',
    sees: times(8, () => TYPE_ERROR),
    run: ([a], name) => Promise.all(['string', 12.34, false, null, {}, Symbol('s'), never, new EventTarget()].map((signal) => call(a, name, { signal }, never))),
  },
  {
    title: 'options that exclude each other',
    sees: times(4, () => NOT_SUPPORTED),
    run: ([a], name) => {
      const { signal } = new AbortController();
      return Promise.all([{ steal: true, ifAvailable: true }, { mode: 'shared', steal: true }, { signal, steal: true }, { signal, ifAvailable: true }]
        .map((options) => call(a, name, options, never)));
    },
  },
  {
    title: 'checks in their order: types, the name, exclusions, then whether the signal is aborted',
    sees: [TYPE_ERROR, TYPE_ERROR, NOT_SUPPORTED, NOT_SUPPORTED, NOT_SUPPORTED, { error: 'enough' }],
    run: ([a], name) => {
      const signal = AbortSignal.abort('enough');
      return Promise.all([
        call(a, '-', { mode: 'foo', signal }, never),
        call(a, '-', { signal }, null),
        call(a, '-', { signal }, never),
        call(a, name, { signal, steal: true }, never),
        call(a, name, { signal, ifAvailable: true }, never),
        call(a, name, { signal }, never),
      ]);
    },
  },
  {
    title: 'a name is made a string; a symbol cannot be',
    sees: ['123', 'null', 'undefined', 'true', 'a,b', 'own'].map((value): unknown => ({ value })).concat(TYPE_ERROR),
    run: ([a]) => Promise.all([123, null, undefined, true, ['a', 'b'], { toString: () => 'own' }, Symbol('s')].map((name) => call(a, name, (lock: Lock) => lock.name))),
  },
  {
    title: 'any string is a name',
    sees: ['', 'abc\0def', '\ud800', '\udc00', '\udc00\ud800', '\uffff', '🔒', 'x'.repeat(1_000)].map(() => true),
    run: ([a]) => Promise.all(['', 'abc\0def', '\ud800', '\udc00', '\udc00\ud800', '\uffff', '🔒', 'x'.repeat(1_000)].map((name) =>
      a.request(name, (lock) => lock.name === name))),
  },
  {
    title: 'names that start with a hyphen are reserved; others that hold one are not',
    sees: [NOT_SUPPORTED, NOT_SUPPORTED, { value: 'a-' }],
    run: ([a]) => Promise.all(['-', '-foo', 'a-'].map((name) => call(a, name, (lock: Lock) => lock.name))),
  },
  {
    title: 'what a lock says of itself, also after it was released',
    sees: ['exclusive', true, 'shared', true],
    run: async ([a], name) => {
      const locks = [await a.request(name, (lock) => lock), await a.request(name, { mode: 'shared' }, (lock) => lock)];
      return locks.flatMap((lock) => [lock.mode, lock.name === name]);
    },
  },

  // --- how long it is held --------------------------------------------------------------------
  {
    title: 'the result of the callback is the result of the request',
    sees: [{ value: 123 }, { value: 'later' }, { value: 'adopted' }, { error: 'RangeError' }, { error: 'RangeError' }, { error: 'no error at all' }, {}],
    run: ([a], name) => Promise.all([
      () => 123,
      () => Promise.resolve('later'),
      () => ({ then: (resolve: (value: string) => void) => resolve('adopted') }),
      () => { throw new RangeError('at once'); },
      () => Promise.reject(new RangeError('later')),
      // eslint-disable-next-line @typescript-eslint/only-throw-error
      () => { throw 'no error at all'; },
      () => undefined,
    ].map((callback) => call(a, name, callback).then((seen) => JSON.parse(JSON.stringify(seen)) as unknown))),
  },
  {
    title: 'the callback does not run within request',
    sees: [false, true],
    run: async ([a], name) => {
      let hasRun = false;
      const done = a.request(name, () => { hasRun = true; });
      const within = hasRun;
      await done;
      return [within, hasRun];
    },
  },
  {
    title: 'the request ends after the promise of its callback',
    sees: ['callback', 'request'],
    run: async ([a], name) => {
      const order: string[] = [];
      const { opened, open } = gate();
      const done = a.request(name, () => opened).then(() => order.push('request'));
      void opened.then(() => order.push('callback'));
      open();
      await done;
      return order;
    },
  },
  {
    title: 'it is held until the promise of the callback resolves',
    sees: ['release', 'second'],
    run: async ([a], name) => {
      const order: string[] = [];
      const first = await hold(a, name);
      const second = a.request(name, () => { order.push('second'); });
      setTimeout(() => {
        order.push('release');
        first.release();
      }, 20);
      await second;
      return order;
    },
  },
  {
    title: 'it is held until the promise of the callback rejects',
    sees: ['reject', 'second', { error: 'RangeError' }],
    run: async ([a], name) => {
      const order: unknown[] = [];
      let reject: (error: Error) => void = never;
      const first = outcome(a.request(name, () => new Promise((_, fail) => (reject = fail))));
      await a.query();
      const second = a.request(name, () => { order.push('second'); });
      setTimeout(() => {
        order.push('reject');
        reject(new RangeError());
      }, 20);
      await second;
      return [...order, await first];
    },
  },
  {
    title: 'a callback that throws releases the lock',
    sees: [{ error: 'RangeError' }, { value: 'free' }],
    run: async ([a], name) => [await call(a, name, () => { throw new RangeError(); }), await call(a, name, { ifAvailable: true }, (lock: unknown) => lock && 'free')],
  },

  // --- order and modes ------------------------------------------------------------------------
  {
    title: 'requests are granted in the order in which they were made',
    sees: [1, 2, 3],
    run: async ([a], name) => {
      const granted: number[] = [];
      await Promise.all([1, 2, 3].map((number) => a.request(name, () => { granted.push(number); })));
      return granted;
    },
  },
  {
    title: 'locks of other names do not wait',
    sees: [2, 1],
    exceptOnSeveralNodes: 'each name is granted when its votes arrive',
    run: async ([a], name) => {
      const granted: number[] = [];
      let inner: Promise<unknown> = Promise.resolve();
      // Nothing keeps the callback until the other lock is granted.
      await a.request(name, () => {
        inner = Promise.all([a.request(name, () => { granted.push(1); }), a.request(`${name} other`, () => { granted.push(2); })]);
      });
      await inner;
      return granted;
    },
  },
  {
    title: 'a lock of another name is granted while this one is held',
    sees: ['other', 'released'],
    run: async ([a], name) => {
      const order: string[] = [];
      await a.request(name, async () => {
        await a.request(`${name} other`, () => { order.push('other'); });
      });
      return [...order, 'released'];
    },
  },
  {
    title: 'shared requests are inside together, an exclusive one waits for all of them and keeps its place',
    sees: { before: ['shared 1', 'shared 2', 'shared 3', 'other'], after: ['exclusive'], mode: 'exclusive' },
    run: async ([a], name) => {
      const granted: string[] = [];
      const { opened, open } = gate();
      const mode = 'shared';
      for (const number of [1, 2, 3]) {
        void a.request(name, { mode }, () => {
          granted.push(`shared ${number}`);
          return opened;
        });
      }
      const exclusive = a.request(name, (lock) => {
        granted.push('exclusive');
        return lock;
      });
      await a.request(`${name} other`, () => { granted.push('other'); });
      await a.query();
      const before = [...granted];
      open();
      const lock = await exclusive;
      return { before, after: granted.slice(before.length), mode: lock.mode };
    },
  },
  {
    title: 'a shared request behind an exclusive one does not overtake it',
    sees: ['reader', 'writer', 'late reader'],
    run: async ([a], name) => {
      const order: string[] = ['reader'];
      const reader = await hold(a, name, { mode: 'shared' });
      const writer = a.request(name, () => { order.push('writer'); });
      const late = a.request(name, { mode: 'shared' }, () => { order.push('late reader'); });
      await a.query();
      reader.release();
      await Promise.all([writer, late]);
      return order;
    },
  },
  {
    title: 'releasing an exclusive lock lets in all shared requests behind it',
    sees: [{ held: ['exclusive'], pending: times(5, () => 'shared') }, { held: times(5, () => 'shared'), pending: [] }],
    run: async ([a], name) => {
      const { opened, open } = gate();
      const exclusive = a.request(name, () => opened);
      for (let i = 0; i < 5; i++) void keep(a, name, { mode: 'shared' });
      const first = await modes(a, name);
      open();
      await exclusive;
      return [first, await modes(a, name)];
    },
  },
  {
    title: 'an exclusive lock between shared ones',
    sees: [
      { held: times(3, () => 'shared'), pending: ['exclusive', ...times(3, () => 'shared')] },
      { held: ['exclusive'], pending: times(3, () => 'shared') },
      { held: times(3, () => 'shared'), pending: [] },
    ],
    run: async ([a], name) => {
      const shared = gate();
      const exclusive = gate();
      const sharedDone = Promise.all(times(3, () => a.request(name, { mode: 'shared' }, () => shared.opened)));
      const exclusiveDone = a.request(name, () => exclusive.opened);
      for (let i = 0; i < 3; i++) void keep(a, name, { mode: 'shared' });
      const seen = [await modes(a, name)];
      shared.open();
      await sharedDone;
      seen.push(await modes(a, name));
      exclusive.open();
      await exclusiveDone;
      return [...seen, await modes(a, name)];
    },
  },
  {
    title: 'three contexts: exclusive requests one after the other, in the order in which they were made',
    sees: ['a', 'b', 'c', 'a again'],
    run: async ([a, b, c], name) => {
      const order: string[] = ['a'];
      const first = await hold(a, name);
      const rest: Promise<unknown>[] = [];
      for (const [locks, label] of [[b, 'b'], [c, 'c'], [a, 'a again']] as const) {
        rest.push(locks.request(name, () => { order.push(label); }));
        await locks.query();
      }
      first.release();
      await Promise.all(rest);
      return order;
    },
  },
  {
    title: 'three contexts: readers together, then the writer, then a later reader',
    sees: { readers: ['shared', 'shared'], order: ['writer', 'late reader'] },
    run: async ([a, b, c], name) => {
      const readers = [await hold(a, name, { mode: 'shared' }), await hold(b, name, { mode: 'shared' })];
      const order: string[] = [];
      const writer = c.request(name, () => { order.push('writer'); });
      await c.query();
      const late = a.request(name, { mode: 'shared' }, () => { order.push('late reader'); });
      await a.query();
      for (const reader of readers) reader.release();
      await Promise.all([writer, late]);
      return { readers: readers.map(({ lock }) => lock.mode), order };
    },
  },

  // --- ifAvailable ----------------------------------------------------------------------------
  {
    title: 'ifAvailable: the lock if it is free, else null; what the callback does with null is the result',
    sees: ['lock', 123, { error: 123 }, { error: 'test' }, { error: 'test' }],
    run: async ([a], name) => {
      const free = await a.request(name, { ifAvailable: true }, (lock) => lock && 'lock');
      return a.request(name, async () => [
        free,
        await a.request(name, { ifAvailable: true }, (lock) => (lock === null ? 123 : 'granted')),
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        await call(a, name, { ifAvailable: true }, (lock: unknown) => { throw lock === null ? 123 : 'granted'; }),
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        await call(a, name, { ifAvailable: true }, () => { throw { name: 'test' }; }),
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        await call(a, name, { ifAvailable: true }, () => Promise.reject({ name: 'test' })),
      ]);
    },
  },
  {
    title: 'ifAvailable: modes',
    sees: { underExclusive: [null, null], underShared: ['shared', null], other: 'exclusive' },
    run: async ([a], name) => {
      const attempt = (mode: 'shared' | 'exclusive', of = name): Promise<unknown> => a.request(of, { mode, ifAvailable: true }, (lock) => lock && lock.mode);
      const underExclusive = await a.request(name, async () => [await attempt('exclusive'), await attempt('shared')]);
      const underShared = await a.request(name, { mode: 'shared' }, async () => [await attempt('shared'), await attempt('exclusive')]);
      return { underExclusive, underShared, other: await a.request(name, () => attempt('exclusive', `${name} other`)) };
    },
  },
  {
    title: 'ifAvailable: a request that waits makes the lock not available',
    sees: null,
    run: async ([a], name) => {
      const reader = await hold(a, name, { mode: 'shared' });
      const writer = a.request(name, () => 'done');
      const seen = await a.request(name, { mode: 'shared', ifAvailable: true }, (lock) => lock);
      reader.release();
      await writer;
      return seen;
    },
  },
  {
    title: 'ifAvailable: available again once the release is processed',
    sees: [true, true],
    run: ([a], name) => a.request(`${name} outer`, async () => {
      await a.request(name, () => undefined);
      return [await a.request(name, { ifAvailable: true }, (lock) => lock !== null), await a.request(name, { ifAvailable: true }, (lock) => lock !== null)];
    }),
  },
  {
    title: 'ifAvailable in another context than the holder, and after it',
    sees: [null, 'exclusive', 'exclusive'],
    run: async ([a, b, c], name) => {
      const holder = await hold(a, name);
      const seen: unknown[] = [await b.request(name, { ifAvailable: true }, (lock) => lock)];
      holder.release();
      await holder.done;
      // In a browser the request of one context may overtake the release of another.
      while ((await b.query()).held?.some((each) => each.name === name) === true);
      seen.push(await b.request(name, { ifAvailable: true }, (lock) => lock && lock.mode));
      return [...seen, await c.request(name, (lock) => lock.mode)];
    },
  },

  // --- steal ----------------------------------------------------------------------------------
  {
    title: 'steal: a lock that is free',
    sees: 'exclusive',
    run: ([a], name) => a.request(name, { steal: true }, (lock) => lock.mode),
  },
  {
    title: 'steal: the holder, even of a moment ago, is told by an AbortError, and its result is dropped',
    sees: { stolen: 'mine', holder: { error: 'AbortError' } },
    run: async ([a], name) => {
      const { opened, open } = gate();
      const holder = outcome(a.request(name, () => opened));
      const stolen = await a.request(name, { steal: true }, () => 'mine');
      open('too late');
      return { stolen, holder: await holder };
    },
  },
  {
    title: 'steal: goes before those who wait, and they stay in line',
    sees: ['thief', 'waiting'],
    run: async ([a], name) => {
      const order: string[] = [];
      const robbed = outcome(keep(a, name));
      const waiting = a.request(name, () => { order.push('waiting'); });
      await a.request(name, { steal: true }, () => { order.push('thief'); });
      await Promise.all([waiting, robbed]);
      return order;
    },
  },
  {
    title: 'steal: the last one wins',
    sees: [{ error: 'AbortError' }, { error: 'AbortError' }, 'third'],
    run: async ([a], name) => {
      const first = outcome(keep(a, name));
      const second = outcome(keep(a, name, { steal: true }));
      const third = await a.request(name, { steal: true }, () => 'third');
      return [await first, await second, third];
    },
  },
  {
    title: 'steal: takes from all shared holders',
    sees: [{ error: 'AbortError' }, { error: 'AbortError' }, 'mine'],
    run: async ([a, b, c], name) => {
      const readers = [await hold(a, name, { mode: 'shared' }), await hold(b, name, { mode: 'shared' })];
      const stolen = await c.request(name, { steal: true }, () => 'mine');
      return [...(await Promise.all(readers.map(({ done }) => done))), stolen];
    },
  },
  {
    title: 'steal: from another context, before one that waits',
    sees: { order: ['thief', 'waiting'], holder: { error: 'AbortError' } },
    run: async ([a, , c], name) => {
      const order: string[] = [];
      const holder = await hold(a, name);
      const waiting = c.request(name, () => { order.push('waiting'); });
      await c.query();
      await c.request(name, { steal: true }, () => { order.push('thief'); });
      await waiting;
      return { order, holder: await holder.done };
    },
  },

  // --- signal ---------------------------------------------------------------------------------
  {
    title: 'signal: aborted already, with any reason',
    sees: [{ error: 'AbortError' }, { error: 'RangeError' }, { error: 'My dog ate it.' }, { error: 0 }, { error: null }],
    run: ([a], name) => Promise.all([AbortSignal.abort(), AbortSignal.abort(new RangeError()), AbortSignal.abort('My dog ate it.'), AbortSignal.abort(0), AbortSignal.abort(null)]
      .map((signal) => call(a, name, { signal }, never))),
  },
  {
    title: 'signal: aborted while it waits, the request is gone from the line',
    sees: { waits: { held: ['exclusive'], pending: ['exclusive'] }, error: 'My dog ate it.', after: { held: ['exclusive'], pending: [] } },
    run: async ([a], name) => {
      void keep(a, name);
      const controller = new AbortController();
      const request = call(a, name, { signal: controller.signal }, never);
      const waits = await modes(a, name);
      controller.abort('My dog ate it.');
      const { error } = (await request) as { error: unknown };
      return { waits, error, after: await modes(a, name) };
    },
  },
  {
    title: 'signal: the reason itself, and not a copy',
    sees: [true, true],
    run: async ([a], name) => {
      void keep(a, name);
      const controllers = [new AbortController(), new AbortController()];
      const errors = controllers.map(({ signal }) => a.request(name, { signal }, never).catch((error: unknown) => error));
      controllers[0]?.abort();
      controllers[1]?.abort(new Error('own'));
      return Promise.all(errors.map(async (error, index) => (await error) === controllers[index]?.signal.reason));
    },
  },
  {
    title: 'signal: aborted at once, even if the lock is free; the next request gets it',
    sees: [{ error: 'AbortError' }, { value: 'next' }],
    run: async ([a], name) => {
      // Free, and known to be: this context had it last.
      await a.request(name, () => undefined);
      const controller = new AbortController();
      const request = call(a, name, { signal: controller.signal }, never);
      controller.abort();
      return [await request, await call(a, name, () => 'next')];
    },
  },
  {
    title: 'signal: aborted at once, the request behind it is processed',
    sees: [{ error: 'AbortError' }, { value: 'next' }],
    run: ([a], name) => {
      const controller = new AbortController();
      const first = outcome(keep(a, name, { signal: controller.signal }));
      const next = call(a, name, () => 'next');
      controller.abort();
      return Promise.all([first, next]);
    },
  },
  {
    title: 'signal: of no effect once the lock is held, or released',
    sees: [{ value: 'resolved ok' }, { value: 'resolved ok' }, { value: 'not aborted' }],
    run: async ([a], name) => {
      const controllers = [new AbortController(), new AbortController(), new AbortController()] as const;
      const first = await hold(a, name, { signal: controllers[0].signal });
      controllers[0].abort();
      first.release('resolved ok');
      const second = await hold(a, name, { signal: controllers[1].signal });
      second.release('resolved ok');
      controllers[1].abort();
      return [await first.done, await second.done, await call(a, name, { signal: controllers[2].signal }, () => 'not aborted')];
    },
  },

  // --- query ----------------------------------------------------------------------------------
  {
    title: 'query: arrays of what is held and what waits, each with name, mode and clientId',
    sees: { held: [['exclusive', 'string', true]], pending: [['exclusive', 'string', true]] },
    run: async ([a], name) => {
      const holder = await hold(a, name);
      const waiting = a.request(name, () => undefined);
      const seen = await a.query();
      const shape = (list: LockInfo[]): unknown => Array.isArray(list) &&
        list.filter((lock) => lock.name === name).map((lock) => [lock.mode, typeof lock.clientId, Object.hasOwn(lock, 'name')]);
      holder.release();
      await waiting;
      return { held: shape(seen.held), pending: shape(seen.pending) };
    },
  },
  {
    title: 'query: a request is there as soon as it is made, held if it could be',
    sees: [{ held: ['exclusive'], pending: [] }, { held: ['exclusive'], pending: ['shared', 'shared'] }],
    run: async ([a], name) => {
      void keep(a, name);
      const first = await modes(a, name);
      for (let i = 0; i < 2; i++) void keep(a, name, { mode: 'shared' });
      return [first, await modes(a, name)];
    },
  },
  {
    title: 'query: nothing is left of what is over',
    sees: { held: [], pending: [] },
    run: async ([a], name) => {
      await a.request(name, () => undefined);
      await a.request(name, { ifAvailable: true }, () => undefined);
      await outcome(a.request(name, never));
      return modes(a, name);
    },
  },
  {
    title: 'query: one context has one clientId',
    sees: 1,
    run: ([a], name) => a.request(name, () => a.request(`${name} other`, { mode: 'shared' }, async () => {
      const { held } = await a.query();
      return new Set(held.filter((lock) => lock.name.startsWith(name)).map((lock) => lock.clientId)).size;
    })),
  },
  {
    title: 'query: what waits is in the order in which it was asked for',
    exceptInChromium: BY_NAME,
    sees: ['3', '2', '1'],
    run: async ([a], name) => {
      await Promise.all(['1', '2', '3'].map((each) => hold(a, `${name} ${each}`)));
      for (const each of ['3', '2', '1']) void keep(a, `${name} ${each}`, { mode: 'shared' });
      const { pending } = await a.query();
      return pending.filter((lock) => lock.name.startsWith(name)).map((lock) => lock.name.slice(name.length + 1));
    },
  },
  {
    title: 'query: what is held is in the order in which it was granted',
    exceptInChromium: BY_NAME,
    sees: ['2', '3', '1'],
    run: async ([a], name) => {
      const first = await Promise.all(['1', '2', '3'].map((each) => hold(a, `${name} ${each}`)));
      const second = ['1', '2', '3'].map((each) => hold(a, `${name} ${each}`));
      await a.request(`${name} through`, () => undefined);
      for (const index of [1, 2, 0]) first[index]?.release();
      await Promise.all(second);
      const { held } = await a.query();
      return held.filter((lock) => lock.name.startsWith(name)).map((lock) => lock.name.slice(name.length + 1));
    },
  },
  {
    title: 'query: also when it was stolen',
    exceptInChromium: BY_NAME,
    sees: ['3', '1', '2'],
    run: async ([a], name) => {
      await Promise.all(['1', '2', '3'].map((each) => hold(a, `${name} ${each}`)));
      // One after the other: how soon a client gives each of several back is its own matter.
      for (const each of ['3', '1', '2']) await hold(a, `${name} ${each}`, { steal: true });
      const { held } = await a.query();
      return held.filter((lock) => lock.name.startsWith(name)).map((lock) => lock.name.slice(name.length + 1));
    },
  },
  {
    title: 'query: shows a deadlock',
    sees: { held: ['1', '2'], pending: ['1', '2'] },
    run: async ([a], name) => {
      await Promise.all([hold(a, `${name} 1`), hold(a, `${name} 2`)]);
      for (const each of ['1', '2']) void keep(a, `${name} ${each}`);
      const { held, pending } = await a.query();
      const names = (list: readonly LockInfo[]): string[] => list.filter((lock) => lock.name.startsWith(name)).map((lock) => lock.name.slice(name.length + 1)).sort();
      return { held: names(held), pending: names(pending) };
    },
  },
];

/** Run them all, one after the other: the title and what was seen, of each. */
export async function runAll(contexts: Contexts, prefix: string): Promise<[string, unknown][]> {
  const results: [string, unknown][] = [];
  for (const [index, { title, run }] of cases.entries()) {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const seen = await Promise.race([
      run(contexts, `${prefix} ${index}`).catch((error: unknown) => ({ failed: String(error) })),
      new Promise((resolve) => (timer = setTimeout(() => resolve('nothing: it does not end'), 20_000))),
    ]);
    clearTimeout(timer);
    results.push([title, seen]);
  }
  return results;
}
