import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspectLock } from '../../src/core';
import type { LockNode } from '../../src/core';
import { PRODUCTION_CORE } from '../../sim/core';
import { drawPlan } from '../../sim/plan/draw';
import { pageHtml, recordRun } from '../../sim/page';
import { EXPLAINED } from '../../sim/page/explanations';
import type { Recording } from '../../sim/page';
import { shiftTimes } from '../../sim/page/shift';
import { Geometry } from '../../sim/page/script/geometry';
import { Model } from '../../sim/page/script/model';
import type { Plan } from '../../sim/plan/plan';
import { runPlan } from '../../sim/run';
import { Browser, findChromium } from '../../sim/page/browser';
import { NO_SILENCE, NO_YIELD, ONE_VOTE_TOO_FEW, failingPlan } from './broken-cores';

/** Plain, so that the two can be compared. */
function texts(value: unknown): string {
  return JSON.stringify(value);
}

describe('recording a run', () => {
  test('recording: changes nothing', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const plan = drawPlan(seed);
      expect(recordRun(plan).report).toEqual(runPlan(plan));
    }
  });

  test('recording: the state after each event is what the node itself says', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const plan = drawPlan(seed, { profile: 'swarm', locks: 2 });
      const truth = statesOf(plan);
      // Lamport times would be shifted; without them the states are compared whole.
      const model = new Model(recordRun(plan).recording);
      const steps = model.recording.rows.flatMap((row, index) => (row.kind === 'step' ? [{ row, index }] : []));
      expect(steps.length).toBe(truth.length);
      steps.forEach(({ row, index }, step) => {
        // Beside those of the callers there are the locks by which nodes without memory hear clocks.
        model.recording.locks.slice(0, plan.locks).forEach((_, lock) => {
          expect(shapeOf(model.stateAt(row.node, lock, index))).toBe(truth[step]?.[lock]);
        });
      });
    }
  });

  test('recording: each message was sent before it was received, and every receipt is of a message', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { rows, messages } = recordRun(drawPlan(seed, { profile: 'swarm' })).recording;
      for (const { sentAt, receivedAt, from, to } of messages) {
        expect(rows[sentAt]?.node).toBe(from);
        for (const row of receivedAt) {
          expect(row).toBeGreaterThan(sentAt);
          expect(rows[row]?.node).toBe(to);
        }
      }
      for (const row of rows) if (row.kind === 'step' && row.event.kind === 'message') expect(row.event.message).toBeDefined();
    }
  });

  test('recording: says of a message that did not arrive why', () => {
    const plan = drawPlan(3, { nodes: 3, profile: 'swarm', faults: { loss: 0.2, isolate: 4, crash: 6 } });
    const reasons = new Set(recordRun(plan).recording.messages.flatMap((message) => message.dropped ?? []));
    expect([...reasons].sort()).toEqual(['link is cut', 'lost', 'node is down']);
  });

  test('recording: names the holds that clash, also one that outlived its node', () => {
    const plan = failingPlan(NO_SILENCE, { nodes: 1, profile: 'swarm' }, (check) => check === 'exclusion');
    const { violation, holds, rows } = recordRun(plan, { core: NO_SILENCE }).recording;
    expect(violation?.check).toBe('exclusion');
    expect(violation?.row).toBe(rows.length - 1);
    expect(violation?.holds.length).toBeGreaterThanOrEqual(2);
    expect(violation?.holds.map((index) => holds[index]?.to)).toEqual(violation?.holds.map(() => null));
    expect(violation?.holds.some((index) => holds[index]?.diedAt !== undefined)).toBe(true);
    // Lamport times are short in words, too.
    expect(violation?.detail).not.toMatch(/\d{14}/);
  });

  test('recording: the event that the core choked on is the last one', () => {
    const core = {
      ...PRODUCTION_CORE,
      step: (node: LockNode, event: Parameters<typeof PRODUCTION_CORE.step>[1]) => {
        if (event.kind === 'acquire') throw new Error('choked');
        return PRODUCTION_CORE.step(node, event);
      },
    };
    const { recording } = recordRun(drawPlan(1), { core });
    expect(recording.violation?.check).toBe('exception');
    expect(recording.rows.at(-1)).toMatchObject({ kind: 'step', event: { kind: 'acquire' }, effects: [] });
  });
});

/** Per event and lock: the shape of what its node knows afterwards. */
function statesOf(plan: Plan): string[][] {
  const nodes = new Map<string, { node: LockNode; bornAtMs: number }>();
  const states: string[][] = [];
  const core = {
    ...PRODUCTION_CORE,
    createNode: (...args: Parameters<typeof PRODUCTION_CORE.createNode>) => {
      const node = PRODUCTION_CORE.createNode(...args);
      nodes.set(args[0].self, { node, bornAtMs: 0 });
      return node;
    },
  };
  runPlan(plan, {
    core,
    observer: {
      stepped: (_atUs, id, event) => {
        const known = nodes.get(id);
        if (known === undefined) throw new Error(`no node ${id}`);
        if (event.kind === 'start') known.bornAtMs = event.nowMs;
        states.push(['a', 'b'].map((lock) => {
          const view = inspectLock(known.node, lock);
          return shapeOf(shiftTimes(view ?? { grants: [], queue: [], requester: null }, known.bornAtMs));
        }));
      },
    },
  });
  return states;
}

/** Without Lamport times. */
function shapeOf({ grants, queue, requester }: Pick<NonNullable<ReturnType<typeof inspectLock>>, 'grants' | 'queue' | 'requester'>): string {
  return texts({ grants, queue, requester }).replace(/"(timestamp|grant|token)":\d+/g, '"$1":0');
}

describe('what the page works out', () => {
  const plan = failingPlan(NO_YIELD, { nodes: 4, profile: 'swarm', faults: { loss: 0.01 } }, (check) => check === 'deadlock');
  const { recording } = recordRun(plan, { core: NO_YIELD });
  const model = new Model(recording);

  test('waits: a deadlock is a ring of nodes, each waiting for a vote that another one has', () => {
    const isOnRing = (start: number, waits: ReturnType<Model['waitsAt']>): boolean => {
      const reached = new Set([start]);
      for (const node of reached) {
        const holders = waits.flatMap(({ waiter, holder }) => (waiter === node && holder !== null && holder !== waiter ? [holder] : []));
        if (holders.includes(start)) return true;
        holders.forEach((holder) => reached.add(holder));
      }
      return false;
    };
    const hasRing = (row: number): boolean => {
      const waits = recording.locks.flatMap((_, lock) => model.waitsAt(lock, row));
      return waits.some(({ waiter }) => isOnRing(waiter, waits));
    };
    expect(hasRing(0)).toBe(false);
    expect(hasRing(recording.rows.length - 1)).toBe(true);
  });

  test('causes: what a row depends on comes before it, and holds the sending of all that was received', () => {
    const last = recording.rows.length - 1;
    for (const row of [0, Math.floor(last / 3), Math.floor(last / 2)]) {
      const past = model.pastOf(row);
      expect(Math.max(...past)).toBe(row);
      for (const each of past) if (model.senderOf(each) >= 0) expect(past.has(model.senderOf(each))).toBe(true);
    }
    expect(model.pastOf(Math.floor(last / 2)).size).toBeLessThan(Math.floor(last / 2) + 1);
  });

  test('geometry: rows that a filter hides take no room, and the nearest row is found from any height', () => {
    const geometry = new Geometry(model, (row) => row % 3 === 0, 'order', 20);
    expect(geometry.shown.length).toBe(Math.ceil(recording.rows.length / 3));
    expect(geometry.yOf(3) - geometry.yOf(0)).toBe(20);
    expect(geometry.yOf(1)).toBe(geometry.yOf(3));
    for (const row of geometry.shown) expect(geometry.nearest(geometry.yOf(row) + 4)).toBe(row);
  });

  test('geometry: in time, heights are to scale', () => {
    const geometry = new Geometry(model, () => true, 'time', 20);
    const [first, middle, last] = [0, 40, 80].map((row) => ({ us: recording.rows[row]?.atUs ?? 0, y: geometry.yOf(row) }));
    if (first === undefined || middle === undefined || last === undefined) throw new Error('too few rows');
    expect((middle.y - first.y) / (last.y - first.y)).toBeCloseTo((middle.us - first.us) / (last.us - first.us), 6);
  });
});

test('explanations: there is one for every check and every invariant of the core', () => {
  const namesIn = (file: string, type: string): string[] => {
    const source = readFileSync(join(__dirname, '../..', file), 'utf8');
    const union = source.slice(source.indexOf(`export type ${type} =`));
    return [...union.slice(0, union.indexOf('\n\n')).matchAll(/\| '([a-z-]+)'/g)].map(([, name]) => name ?? '');
  };
  const names = [...namesIn('sim/checks/check.ts', 'Check'), ...namesIn('src/core/invariants.ts', 'LocalInvariant')];
  expect(names.length).toBeGreaterThan(15);
  expect(EXPLAINED).toEqual(expect.arrayContaining(names));
});

describe('the page as a file', () => {
  const { recording } = recordRun(drawPlan(1));
  const nasty = '</script><script>window.hacked = 1</script>';

  test('page: needs nothing from elsewhere', () => {
    const html = pageHtml(recording);
    expect(html).not.toMatch(/https?:\/\/(?!www\.w3\.org\/)/);
    expect(html).not.toMatch(/<(script|img|link)[^>]*\s(src|href)="(?!data:)/);
    expect(html).not.toMatch(/@import|url\(/);
    expect(html).not.toMatch(/\/\* (style|script|recording) \*\//);
  });

  test('page: the name of a lock cannot end the script', () => {
    const html = pageHtml({ ...recording, locks: [nasty] });
    expect(html).not.toContain(nasty);
    expect(html.match(/<\/script>/g)).toHaveLength(2);
  });
});

const chromium = findChromium();
const inBrowser = chromium === null ? describe.skip : describe;

inBrowser(`the page in Chromium${chromium === null ? ' (skipped: there is none here; name one with CHROMIUM)' : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'maekawa-page-'));
  let browser: Browser;

  beforeAll(() => {
    browser = new Browser(chromium ?? '');
  });

  afterAll(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(recording: Recording, hash = ''): Promise<void> {
    const file = join(folder, `${Math.random()}.html`);
    writeFileSync(file, pageHtml(recording));
    await browser.open(file, 1440, 900, hash);
  }

  const selectedRow = (): Promise<number> => browser.evaluate<number>('Number(document.querySelector(".row.selected").dataset.row)');
  const textOf = (selector: string): Promise<string> => browser.evaluate<string>(`document.querySelector(${JSON.stringify(selector)}).innerText`);
  const count = (selector: string): Promise<number> => browser.evaluate<number>(`document.querySelectorAll(${JSON.stringify(selector)}).length`);

  async function keys(...pressed: string[]): Promise<void> {
    for (const key of pressed) await browser.press(key);
  }

  test('opens at the violation and explains it', async () => {
    const plan = failingPlan(ONE_VOTE_TOO_FEW, { nodes: 3, profile: 'swarm' }, (check) => check === 'exclusion');
    const { recording } = recordRun(plan, { core: ONE_VOTE_TOO_FEW });
    await open(recording);
    expect(await selectedRow()).toBe(recording.violation?.row);
    expect(await textOf('#verdict')).toContain('exclusion is violated');
    expect(await textOf('#verdict-card')).toContain('at most one holder');
    expect(await count('.hold.clash')).toBeGreaterThanOrEqual(2);
    expect(await textOf('#inspector')).toMatch(/Inside: n\d caller \d+ with token .*; n\d caller/);
    expect(browser.complaints).toEqual([]);
  });

  test('steps with the keys: by event, along a node, along a message, to either end', async () => {
    const { recording } = recordRun(drawPlan(8, { nodes: 3, profile: 'swarm' }));
    const model = new Model(recording);
    const received = recording.messages.find((message) => message.receivedAt.length > 0);
    const [from, to] = [received?.sentAt ?? -1, received?.receivedAt[0] ?? -1];
    await open(recording, `#event=${to + 1}`);
    expect(await selectedRow()).toBe(to);
    await keys('[');
    expect(await selectedRow()).toBe(from);
    await keys(']');
    expect(await selectedRow()).toBe(model.receiverOf(from));
    await keys('Home', 'j', 'ArrowDown', 'k');
    expect(await selectedRow()).toBe(1);
    await keys('l');
    expect(await selectedRow()).toBe(model.neighbour(1, 1));
    await keys('End');
    expect(await selectedRow()).toBe(recording.rows.length - 1);
    expect(await browser.evaluate('document.querySelector("#rows").getAttribute("aria-activedescendant")')).toBe(`row-${recording.rows.length - 1}`);
    expect(await textOf('#announcer')).not.toBe('');
    expect(browser.complaints).toEqual([]);
  });

  test('shows why the core ignored a message', async () => {
    const { recording } = recordRun(drawPlan(8, { nodes: 3, profile: 'swarm' }));
    const row = recording.rows.findIndex((each) => each.kind === 'step' && each.effects.some((effect) => effect.kind === 'ignored'));
    const step = recording.rows[row];
    const reason = step?.kind === 'step' ? step.effects.find((effect) => effect.kind === 'ignored')?.reason : undefined;
    await open(recording, `#event=${row + 1}`);
    expect(await textOf('.effect.ignored')).toBe(`ignored: ${reason}`);
    expect(await textOf('.row.selected')).toContain(`ignored: ${reason}`);
  });

  test('filters by node, by lock and by kind', async () => {
    const { recording } = recordRun(drawPlan(8, { nodes: 3, profile: 'swarm', locks: 2 }));
    await open(recording);
    await browser.evaluate('document.querySelector(\'[data-filter="node 0"]\').click()');
    expect(await count('.row .node-0')).toBe(0);
    await browser.evaluate('document.querySelector(\'[data-filter="node 0"]\').click()');
    await browser.evaluate('document.querySelector(\'[data-filter="class request"]\').click()');
    expect(await count('.row.request')).toBe(0);
    const shown = Number(await browser.evaluate('document.querySelector(".row").getAttribute("aria-setsize")'));
    await browser.evaluate('document.querySelector(\'[data-filter="lock 1"]\').click()');
    expect(Number(await browser.evaluate('document.querySelector(".row").getAttribute("aria-setsize")'))).toBeLessThan(shown);
  });

  test('finds events by what they say', async () => {
    const { recording } = recordRun(drawPlan(8, { nodes: 3, profile: 'swarm' }));
    await open(recording, '#event=1');
    await keys('/');
    for (const letter of 'enters') await browser.press(letter);
    await keys('Enter');
    expect(await textOf('.row.selected')).toContain('enters');
    expect(await textOf('#found')).toMatch(/^1 of \d+$/);
    await keys('Enter');
    expect(await textOf('#found')).toMatch(/^2 of \d+$/);
    await keys('Escape');
    expect(await textOf('#found')).toBe('');
  });

  test('treats the name of a lock as text', async () => {
    const { recording } = recordRun(drawPlan(8, { nodes: 3, profile: 'swarm', locks: 2 }));
    const nasty = '</script><img src=x onerror="window.hacked = 1"><script>window.hacked = 1</script>';
    await open({ ...recording, locks: [nasty, 'b'] });
    await keys('j', 'j', 'End');
    expect(await browser.evaluate('window.hacked === undefined')).toBe(true);
    expect(await textOf('#filters')).toContain('<img src=x');
    expect(browser.complaints).toEqual([]);
  });

  test('is usable with 10,000 events: draws only what is in view', async () => {
    const plan = drawPlan(7, { nodes: 5, profile: 'swarm', locks: 3, leaseMs: 1000, durationMs: 170_000, faults: { loss: 0.03, late: 0.02, crash: 3, pause: 2 } });
    const { recording } = recordRun(plan);
    expect(recording.rows.length).toBeGreaterThan(10_000);
    await open(recording);
    expect(await count('.row')).toBeLessThan(120);
    await keys('End', 'k', 'k');
    expect(await selectedRow()).toBe(recording.rows.length - 3);
    await keys('f', 't', 'c');
    expect(await count('.row')).toBeLessThan(700);
    await keys('Home');
    expect(await selectedRow()).toBe(0);
    expect(browser.complaints).toEqual([]);
  });
});
