/**
 * A recording as a log that ShiViz reads (https://bestchai.bitbucket.io/shiviz): two lines for each event,
 * what happened and then the node with its vector clock. The file begins with the regular expression that
 * splits it and an empty line, as ShiViz wants it of a file that is uploaded.
 */
import type { Recording } from './recording';
import { Model } from './script/model';
import { effectText, eventText } from './script/words';

export const SHIVIZ_EXPRESSION = '(?<event>.*)\\n(?<host>\\S*) (?<clock>{.*})';

export function shivizLog(recording: Recording): string {
  const model = new Model(recording);
  const { nodes, rows } = recording;
  /** Per node: how many events of each node it has heard of. */
  const heard = nodes.map(() => nodes.map(() => 0));
  /** Per row: what its node had heard of then, and so what its messages carry. */
  const carried = new Map<number, readonly number[]>();
  const lines = [SHIVIZ_EXPRESSION, ''];
  rows.forEach((row, index) => {
    if (row.kind !== 'step') return;
    const own = heard[row.node] ?? [];
    const received = carried.get(model.senderOf(index));
    received?.forEach((count, node) => (own[node] = Math.max(own[node] ?? 0, count)));
    own[row.node] = (own[row.node] ?? 0) + 1;
    if (row.effects.some((effect) => effect.kind === 'send')) carried.set(index, [...own]);
    const effects = row.effects.filter((effect) => effect.kind !== 'wake').map((effect) => effectText(model, effect, row));
    const clock = Object.fromEntries(nodes.flatMap((id, node) => (own[node] === 0 ? [] : [[id, own[node]]])));
    lines.push([eventText(model, row), ...effects].join('; ').replace(/\s+/g, ' '), `${nodes[row.node]} ${JSON.stringify(clock)}`);
  });
  return `${lines.join('\n')}\n`;
}
