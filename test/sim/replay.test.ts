import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { durableClock } from '../../src/core';
import { tracedEffect, tracedEvent } from '../../src/core';
import type { LockNode, Message } from '../../src/core';
import { familyLayoutOf } from '../../sim/plan/layout';
import { PRODUCTION_CORE } from '../../sim/core';
import type { Core } from '../../sim/core';
import { drawPlan } from '../../sim/plan/draw';
import { pageHtml } from '../../sim/page';
import { Model } from '../../sim/page/script/model';
import type { Plan } from '../../sim/plan/plan';
import { describeDifference, isTraceFile, merge, readTrace, recordTraces, replay } from '../../sim/replay';
import type { TracedLife, TracedStep } from '../../sim/replay';
import { replayStep, startLife } from '../../sim/replay/replay';
import { runPlan } from '../../sim/run';
import { Browser, findChromium } from '../../sim/page/browser';
import { prepareCluster, until } from '../support/processes';
import { NO_YIELD } from './broken-cores';

/** What each node of a simulated run would have traced, by node. */
function traceFiles(plan: Plan): Map<string, string> {
  const lines = new Map<string, string[]>();
  const nodes = Array.from({ length: plan.machines.length }, (_, index) => `n${index + 1}`);
  const core: Core = {
    ...PRODUCTION_CORE,
    createNode: ({ self, coterie, ...settings }, birth) => {
      const first = { trace: 'maekawa 1', node: self, nodes, quorums: familyLayoutOf(plan.family, nodes), settings, birth, nowMs: 0 };
      lines.set(self, [...(lines.get(self) ?? []), JSON.stringify(first)]);
      return PRODUCTION_CORE.createNode({ self, coterie, ...settings }, birth);
    },
  };
  runPlan(plan, {
    core,
    observer: { stepped: (_atUs, node, event, effects) => void lines.get(node)?.push(JSON.stringify({ event: tracedEvent(event), effects: effects.map(tracedEffect) })) },
  });
  return new Map([...lines].map(([node, all]) => [node, `${all.join('\n')}\n`]));
}

/** One in which a grant is given back. */
function planWithYields(): Plan {
  for (let seed = 1; ; seed++) {
    const plan = drawPlan(seed, { nodes: 3, profile: 'swarm' });
    if (runPlan(plan).counts.yields > 0) return plan;
  }
}

function livesOf(plan: Plan): TracedLife[] {
  return [...traceFiles(plan)].flatMap(([node, text]) => readTrace(text, `${node}.trace`));
}

describe('reading a trace', () => {
  const text = traceFiles(drawPlan(2, { nodes: 3, profile: 'swarm', faults: { crash: 3 } })).get('n1') ?? '';

  test('trace: each life begins with a line of its own', () => {
    const lives = readTrace(text, 'n1.trace');
    expect(lives.length).toBe(text.match(/"trace":/g)?.length);
    expect(lives.every((life) => life.steps[0]?.event.kind === 'start')).toBe(true);
    expect(isTraceFile(text)).toBe(true);
    expect(isTraceFile('{"format":"maekawa plan 1"}')).toBe(false);
  });

  test('trace: half a line at the end of a life is what a killed node leaves', () => {
    const whole = readTrace(text, 'n1.trace');
    const cut = readTrace(text.slice(0, -20), 'n1.trace');
    expect(cut.at(-1)?.steps.length).toBe((whole.at(-1)?.steps.length ?? 0) - 1);
    expect(readTrace(`${text.slice(0, -20)}\n${text}`, 'n1.trace').length).toBe(2 * whole.length);
  });

  test('trace: any other wrong line is refused, by its number', () => {
    const lines = text.split('\n');
    expect(() => readTrace([...lines.slice(0, 3), 'nonsense', ...lines.slice(3)].join('\n'), 'x')).toThrow('x, line 4: this is no line of a trace');
    expect(() => readTrace(lines.slice(1).join('\n'), 'x')).toThrow('x, line 1: this is no line of a trace');
  });

  test('trace: what a stopping node keeps is read back', () => {
    const first = text.split('\n')[0] ?? '';
    const stop = JSON.stringify({ event: { kind: 'stop', nowMs: 1, inUse: ['a'] }, effects: [] });
    expect(readTrace(`${first}\n${stop}\n`, 'x')[0]?.steps[0]?.event).toEqual({ kind: 'stop', nowMs: 1, inUse: ['a'] });
  });
});

describe('replaying', () => {
  test('replay: the same core answers with the same effects, across restarts too', () => {
    for (let seed = 1; seed <= 30; seed++) expect(replay(livesOf(drawPlan(seed, { profile: 'swarm' })))).toEqual([]);
  });

  test('replay: a core that answers otherwise is found out, with the line', () => {
    const differences = replay(livesOf(planWithYields()), NO_YIELD);
    expect(differences.length).toBeGreaterThan(0);
    for (const difference of differences) {
      expect(difference.recorded).toContain('"yield"');
      expect(difference.replayed).not.toContain('"yield"');
      expect(describeDifference(difference)).toMatch(/^n\d\.trace, line \d+: the core answers otherwise now/);
    }
  });

  test('replay: a core that throws where it did not is found out', () => {
    const core: Core = {
      ...PRODUCTION_CORE,
      step: (node: LockNode, event) => {
        if (event.kind === 'acquire') throw new Error('choked');
        return PRODUCTION_CORE.step(node, event);
      },
    };
    expect(replay(livesOf(drawPlan(8, { nodes: 3, profile: 'swarm' })), core)[0]).toMatchObject({ replayed: null, thrown: 'choked' });
  });
});

describe('merging', () => {
  /** In the simulator the very object that was sent arrives, so it is known which is which. */
  function truthOf(plan: Plan): { readonly sent: Map<Message, string>; readonly receipts: number } {
    const sent = new Map<Message, string>();
    let receipts = 0;
    runPlan(plan, {
      observer: {
        sent: (_atUs, from, to, message) => void sent.set(message, `${from} ${to}`),
        stepped: (_atUs, _node, event) => void (receipts += event.kind === 'message' ? 1 : 0),
      },
    });
    return { sent, receipts };
  }

  test('merge: every step is there once, each node in its own order, no message before it was sent', () => {
    for (let seed = 1; seed <= 15; seed++) {
      // Copies would be receipts of nothing.
      const plan = drawPlan(seed, { profile: 'swarm', faults: { loss: 0.05, reorder: 0.1, crash: 4, drift: 1 } });
      const lives = livesOf(plan);
      const merged = merge(lives, () => 0);
      expect(merged.length).toBe(lives.reduce((sum, life) => sum + life.steps.length, 0));
      for (const life of lives) expect(merged.filter((each) => each.life === life).map((each) => each.step)).toEqual(life.steps);
      const known = new Set<number>();
      let receipts = 0;
      for (const { step, sent, received } of merged) {
        if (step.event.kind === 'message') {
          receipts++;
          expect(received !== null && known.has(received)).toBe(true);
        }
        for (const number of sent) known.add(number);
      }
      const truth = truthOf(plan);
      expect({ sent: known.size, receipts }).toEqual({ sent: truth.sent.size, receipts: truth.receipts });
    }
  });

  test('merge: of the steps that could come next, the one with the smallest Lamport clock does', () => {
    const lives = livesOf(drawPlan(8, { nodes: 4, profile: 'calm' }));
    const clocks = new Map<TracedStep, number>();
    for (const life of lives) {
      const node = startLife(life, PRODUCTION_CORE);
      for (const step of life.steps) {
        replayStep(life, step, node, PRODUCTION_CORE);
        clocks.set(step, durableClock(node));
      }
    }
    const clockOf = (step: TracedStep): number => clocks.get(step) ?? 0;
    const merged = merge(lives, clockOf);
    const next = new Map(lives.map((life) => [life, 0]));
    merged.forEach(({ life, step }, index) => {
      for (const other of lives) {
        const candidate = other.steps[next.get(other) ?? 0];
        // A local event waits for nothing; a message may wait for its sending.
        if (candidate !== undefined && candidate.event.kind !== 'message') {
          expect({ index, clock: clockOf(step) }).toEqual({ index, clock: Math.min(clockOf(step), clockOf(candidate)) });
        }
      }
      next.set(life, (next.get(life) ?? 0) + 1);
    });
  });
});

describe('the page of traces', () => {
  test('record: shows a message to a node that was not traced as such, and one from it as from nowhere', () => {
    const lives = livesOf(drawPlan(8, { nodes: 3, profile: 'swarm' })).filter((life) => life.node !== 'n3');
    const { messages, nodes } = recordTraces(lives);
    expect(nodes).toEqual(['n1', 'n2', 'n3']);
    expect(messages.some((message) => message.to === 2 && message.dropped?.[0] === 'n3 was not traced')).toBe(true);
    expect(messages.some((message) => message.from === 2 && message.sentAt === -1 && message.receivedAt.length === 1)).toBe(true);
  });

  test('record: marks the first event at which the core answers otherwise', () => {
    const { violation, rows } = recordTraces(livesOf(planWithYields()), NO_YIELD);
    expect(violation?.check).toBe('replay');
    const row = rows[violation?.row ?? -1];
    expect(row?.kind === 'step' && row.effects.length > 0).toBe(true);
  });

  test('record: refuses traces of different clusters, and none', () => {
    const three = livesOf(drawPlan(1, { nodes: 3 }));
    const four = livesOf(drawPlan(1, { nodes: 4 }));
    expect(() => recordTraces([...three, ...four])).toThrow('are traces of different clusters');
    expect(() => recordTraces([])).toThrow('there is no trace of any node');
  });
});

describe('maekawa node --trace', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maekawa-trace-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('three real nodes, one of them killed and started again: the core answers the same, and the page opens', async () => {
    const cluster = await prepareCluster({ nodes: 3, leaseMs: 1_000 });
    const ids = cluster.configuration.nodes.map((node) => node.id);
    const files = ids.map((id) => join(folder, `${id}.trace`));
    const start = (index: number, ...more: string[]): void =>
      cluster.start(ids[index] ?? '', '--trace', files[index] ?? '', '--lock', 'invoices', '--every', '20ms', '--work', '5ms', ...more);
    ids.forEach((_, index) => start(index, '--first-start'));
    try {
      await cluster.untilConnected(30_000);
      const entriesOf = async (id: string): Promise<number> => Number((await cluster.status(id))?.entries ?? 0);
      await until(async () => (await entriesOf('n1')) > 5 && (await entriesOf('n3')) > 5, 'entries of n1 and n3');
      cluster.signal('n2', 'SIGKILL');
      await cluster.exited('n2');
      start(1);
      await until(async () => (await entriesOf('n2')) > 2, 'entries of n2 in its second life');
    } finally {
      await cluster.stop();
    }
    const lives = files.flatMap((file) => readTrace(readFileSync(file, 'utf8'), file));
    expect(lives.map((life) => life.node).sort()).toEqual(['n1', 'n2', 'n2', 'n3']);
    expect(replay(lives).map(describeDifference)).toEqual([]);

    const recording = recordTraces(lives);
    expect(recording.violation).toBeNull();
    expect(recording.locks).toEqual(['invoices']);
    expect(recording.holds.length).toBeGreaterThan(12);
    expect(recording.rows.some((row) => row.kind === 'note' && row.about === 'death')).toBe(true);
    // Of what arrived, the sending is known, but for what the killed node had not yet written.
    const received = recording.messages.filter((message) => message.receivedAt.length > 0);
    expect(received.filter((message) => message.sentAt >= 0).length / received.length).toBeGreaterThan(0.9);
    // No two are inside at once in this order, but for one that was killed while inside.
    const model = new Model(recording);
    recording.rows.forEach((_, row) => {
      const inside = model.holdsAt(0, row).filter((hold) => hold.diedAt === undefined || row < hold.diedAt);
      expect(inside.length).toBeLessThanOrEqual(1);
    });

    const chromium = findChromium();
    if (chromium === null) return;
    const page = join(folder, 'trace.html');
    writeFileSync(page, pageHtml(recording));
    const browser = new Browser(chromium);
    try {
      await browser.open(page);
      expect(await browser.evaluate('document.querySelector("#title").textContent')).toBe('Trace of n1, n2, n3');
      expect(await browser.evaluate<number>('document.querySelectorAll(".arrow").length')).toBeGreaterThan(5);
      expect(browser.complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  });
});
