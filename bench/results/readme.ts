/** The section on speed of README.md: what the page has, in short, with the losses. */
import { spreadOf } from '../peers/statistics';
import { rounded, seconds, table } from './figures';
import { conditionLine, fleetTableOf, machineLine, throughputOf, titleOf } from './page';
import { SUBJECTS } from './results';
import type { Results, SubjectId, Work } from './results';

export const BLOCK_BEGINS = '<!-- Written by `npm run bench:peers -- --render --readme` from docs/benchmarks/results.json. -->';
export const BLOCK_ENDS = '<!-- Until here. -->';

const COLUMNS: readonly Work[] = ['one-request', 'names', 'contended'];
const LEFT_OUT: readonly SubjectId[] = ['bare-stream', 'redlock-1', 'pipelined-1', 'etcd3'];

export function readmeBlockOf(results: Results): string {
  const rows = (Object.keys(SUBJECTS) as SubjectId[]).flatMap((subject) => {
    const cells = COLUMNS.map((work) => {
      const perSecond = throughputOf(results, work).find((each) => each.subject === subject)?.perSecond ?? [];
      const spread = spreadOf(perSecond);
      return spread === null ? '–' : rounded(spread.median);
    });
    if (LEFT_OUT.includes(subject) || cells.every((cell) => cell === '–')) return [];
    const recovery = results.recovery.find((each) => each.subject === subject && each.lease === 'short');
    const ms = spreadOf(recovery?.ms ?? [])?.median;
    return [[titleOf(subject), SUBJECTS[subject].isFaultTolerant ? 'yes' : 'no', ...cells, ms === undefined ? '–' : seconds(ms)]];
  });
  const fleet = fleetTableOf(results);
  return [
    BLOCK_BEGINS,
    '',
    'Beside the locks of others, in one run on loopback ([all figures and how they are measured](docs/benchmarks/README.md)):',
    '',
    table([['cycles of acquire and release a second, medians', 'fault tolerant', 'one caller', '64 names at once', 'one name, 12 callers in 3 processes', '`kill -9` of the holder, lease 2 s'], ...rows]),
    '',
    ...(fleet === null ? [] : [fleet, '']),
    `${machineLine(results)}. ${conditionLine(results)}`,
    '',
    BLOCK_ENDS,
  ].join('\n');
}

/** The heading of the section that the block stands in. */
const SECTION = '## Speed\n';

export function hasBlock(text: string): boolean {
  return text.includes(BLOCK_BEGINS);
}

/**
 * The text with a new block in the place of the one that it has; at the end of its section on speed, when it has none.
 * @throws Error when there is no such section
 */
export function withBlock(text: string, block: string): string {
  const from = text.indexOf(BLOCK_BEGINS);
  const to = text.indexOf(BLOCK_ENDS, from);
  if (from >= 0 && to >= 0) return text.slice(0, from) + block + text.slice(to + BLOCK_ENDS.length);
  const section = text.indexOf(SECTION);
  if (section < 0) throw new Error(`README.md has no section ${SECTION.trim()} for the block`);
  const next = text.indexOf('\n## ', section + SECTION.length);
  const end = next < 0 ? text.length : next + 1;
  return `${text.slice(0, end).trimEnd()}\n\n${block}\n${next < 0 ? '' : '\n'}${text.slice(end)}`;
}
