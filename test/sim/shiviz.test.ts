import { drawPlan } from '../../sim/plan/draw';
import { recordRun } from '../../sim/page';
import { Model } from '../../sim/page/script/model';
import { SHIVIZ_EXPRESSION, shivizLog } from '../../sim/page/shiviz';

interface Parsed {
  readonly event: string;
  readonly host: string;
  readonly clock: Readonly<Record<string, number>>;
}

/** As ShiViz does it: the expression on the first line, applied to all that follows the second. */
function parse(log: string): Parsed[] {
  const [expression = '', delimiter, ...rest] = log.split('\n');
  expect(expression).toBe(SHIVIZ_EXPRESSION);
  expect(delimiter).toBe('');
  const text = rest.join('\n');
  const events = [...text.matchAll(new RegExp(expression, 'g'))].map(({ groups }) => ({
    event: groups?.['event'] ?? '', host: groups?.['host'] ?? '', clock: JSON.parse(groups?.['clock'] ?? '') as Record<string, number>,
  }));
  // Nothing is left over.
  expect(text.trimEnd().split('\n').length).toBe(2 * events.length);
  return events;
}

test('shiviz: each node counts its own events from 1, one by one, across restarts too', () => {
  for (let seed = 1; seed <= 10; seed++) {
    const { recording } = recordRun(drawPlan(seed, { profile: 'swarm' }));
    const counts = new Map<string, number>();
    for (const { host, clock } of parse(shivizLog(recording))) {
      const count = (counts.get(host) ?? 0) + 1;
      expect(clock[host]).toBe(count);
      counts.set(host, count);
    }
    expect([...counts.keys()].sort()).toEqual([...recording.nodes].sort());
  }
});

test('shiviz: a vector clock is larger than another exactly where the event can have been caused by the other', () => {
  const { recording } = recordRun(drawPlan(8, { nodes: 4, profile: 'swarm' }));
  const model = new Model(recording);
  const rows = recording.rows.flatMap((row, index) => (row.kind === 'step' ? [index] : []));
  const events = parse(shivizLog(recording));
  for (let later = 0; later < 150; later += 7) {
    const past = model.pastOf(rows[later] ?? 0);
    for (let earlier = 0; earlier < later; earlier++) {
      const [a, b] = [events[earlier], events[later]];
      if (a === undefined || b === undefined) throw new Error('too few events');
      const isBefore = recording.nodes.every((node) => (a.clock[node] ?? 0) <= (b.clock[node] ?? 0));
      expect({ earlier, later, isBefore }).toEqual({ earlier, later, isBefore: past.has(rows[earlier] ?? -1) });
    }
  }
});
