/** What a watcher is told next, and that it ends up knowing who holds the lock, in whatever order it reads. */
import fc from 'fast-check';
import type { LockChange } from '../../src/locks/types';
import { Watchers } from '../../src/locks/watchers';
import type { Holder } from '../../src/locks/watchers';
import { MISSED, WatchedLock } from '../../src/service/watched-lock';

/** The holders of one node, and one who watches the lock `a` there. */
class World {
  readonly held = new Set<Holder>();
  private readonly watchers = new Watchers(() => this.held);
  private readonly watched: WatchedLock;
  private grants = 0;
  /** Tokens of those that the watcher believes to hold it. */
  readonly believed = new Set<number>();
  readonly told: string[] = [];

  constructor(before = 0) {
    for (let i = 0; i < before; i++) this.grant();
    this.watched = new WatchedLock(this.watchers.follow('a', (change) => this.watched.onChange(change)));
  }

  grant(name = 'a'): void {
    const grantNumber = ++this.grants;
    const holder = { name, grantNumber, info: () => ({ name, mode: 'shared', clientId: 'n1', token: grantNumber, forMs: 0 } as const) };
    this.held.add(holder);
    this.watchers.granted(holder);
  }

  end(index: number): void {
    const holder = [...this.held][index % Math.max(1, this.held.size)];
    if (holder === undefined) return;
    this.held.delete(holder);
    this.watchers.ended(holder, 'released');
  }

  read(): boolean {
    const next = this.watched.next();
    if (next !== undefined) this.hear(next);
    return next !== undefined;
  }

  private hear(next: LockChange | typeof MISSED): void {
    if (next === MISSED) {
      this.told.push('missed');
      return this.believed.clear();
    }
    const { change, lock: { token = 0 } } = next;
    this.told.push(`${change} ${token}`);
    // Each is told once, and its end only of one that was told.
    expect(this.believed.has(token)).toBe(change !== 'held');
    if (change === 'held') this.believed.add(token);
    else this.believed.delete(token);
  }
}

test('one that reads hears of the present holders and then of each change', () => {
  const world = new World(2);
  while (world.read());
  world.grant();
  world.end(0);
  while (world.read());
  expect(world.told).toEqual(['held 1', 'held 2', 'held 3', 'released 1']);
});

test('one that begins before anybody holds the lock, or while somebody does, misses no change', () => {
  for (const before of [0, 1]) {
    const world = new World(before);
    if (before === 1) world.read();
    world.grant();
    world.end(0);
    world.grant();
    while (world.read());
    expect(world.told).toEqual(before === 0 ? ['held 1', 'released 1', 'held 2'] : ['held 1', 'held 2', 'released 1', 'held 3']);
  }
});

test('of one that does not read nothing piles up; then it hears that it missed changes, and who holds the lock now', () => {
  const world = new World(1);
  while (world.read());
  for (let i = 0; i < 10_000; i++) {
    world.grant();
    world.end(0);
  }
  while (world.read());
  expect(world.told.slice(0, 2)).toEqual(['held 1', 'missed']);
  expect(world.told.length).toBeLessThan(300);
  expect([...world.believed]).toEqual([10_001]);
});

test('in whatever order it reads, it hears of each holder once, and knows in the end who holds the lock', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('grant' as const), times: fc.integer({ min: 1, max: 90 }) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('end' as const), times: fc.integer({ min: 1, max: 90 }), index: fc.nat() }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), times: fc.integer({ min: 1, max: 60 }) }) },
  );
  fc.assert(fc.property(fc.nat({ max: 5 }), fc.array(step, { maxLength: 30 }), (before, steps) => {
    const world = new World(before);
    for (const each of steps) {
      for (let i = 0; i < each.times; i++) {
        if (each.kind === 'grant') world.grant();
        else if (each.kind === 'end') world.end(each.index + i);
        else world.read();
      }
    }
    while (world.read());
    expect([...world.believed].sort((a, b) => a - b)).toEqual([...world.held].map(({ grantNumber }) => grantNumber).sort((a, b) => a - b));
  }));
});

test('a watch of a semaphore shows its permits, and one of a lock that lock alone', () => {
  const world = new World();
  world.grant('-permit 3 of a');
  world.grant('-permit 3 of b');
  world.grant('b');
  while (world.read());
  expect(world.told).toEqual(['held 1']);
});
