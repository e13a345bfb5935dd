/** The report is made of a run: it quotes this run and no other, and does not go on without what it has to show. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findingsOf } from '../../scripts/report/findings';
import type { Findings } from '../../scripts/report/findings';
import type { Facts } from '../../scripts/report/logs';
import { ReportError, readRun } from '../../scripts/report/logs';
import { runClusters } from '../../scripts/report/run';
import { typeset } from '../../scripts/report/typeset';

const directory = mkdtempSync(join(tmpdir(), 'maekawa-report-test-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Made {
  readonly logs: string;
  readonly findings: Findings;
  readonly appendixPage: number;
  readonly pdf: Buffer;
  /** All words of the pages, without the space between them. */
  readonly text: string;
}

function make(logs: string): Made {
  const findings = findingsOf(readRun(logs));
  const [pdf, svg] = [join(logs, 'report.pdf'), join(logs, 'report.svg')];
  const { appendixPage } = typeset(findings, pdf, svg);
  return { logs, findings, appendixPage, pdf: readFileSync(pdf), text: readFileSync(svg, 'utf8').replace(/<[^>]*>/g, '').replace(/\s/g, '') };
}

/** What other nodes would have logged a day later: all clocks are ahead by as much. */
function laterLogs(logs: string, laterLogs: string): string {
  const laterUs = 86_400_000_000 + 37;
  for (const cluster of ['majority', 'grid']) {
    mkdirSync(join(laterLogs, cluster), { recursive: true });
    for (const name of readdirSync(join(logs, cluster))) {
      const text = readFileSync(join(logs, cluster, name), 'utf8').replace(/\b\d{16}\b/g, (time) => `${Number(time) + laterUs}`).replace(/"n(\d)"/g, '"p$1"');
      writeFileSync(join(laterLogs, cluster, name.replace('n', 'p')), text);
    }
  }
  const { killed } = JSON.parse(readFileSync(join(logs, 'facts.json'), 'utf8')) as Facts;
  const facts: Facts = { killed: { node: killed.node.replace('n', 'p'), atMs: killed.atMs + Math.round(laterUs / 1000) } };
  writeFileSync(join(laterLogs, 'facts.json'), JSON.stringify(facts));
  return laterLogs;
}

let one: Made;
let other: Made;

// Real nodes take as long as a slow machine needs.
beforeAll(async () => {
  const logs = join(directory, 'one');
  await runClusters(logs, { leaseMs: 1_000, roundsMin: 1, roundsMax: 60 });
  one = make(logs);
  other = make(laterLogs(logs, join(directory, 'other')));
}, 240_000);

const quotedBy = ({ uncontended, contended, killed }: Findings): string[] => [
  `(infull:${uncontended.token})`,
  `Timesandtokensless${contended.base}.`,
  `${killed.node}wasinsidekilledwithtoken${killed.token - killed.base}`,
];

/** The same in both, for these it is the same run. */
const toldBy = ({ killed, majority, events }: Findings): string[] => [
  `Aleaseis${majority.leaseMs}msinboth`,
  `${events}eventsof`,
  `entered${killed.nextAfterMs}msafterthekill,withtoken${killed.nextToken - killed.base}`,
];

test('the report is a PDF, and short before its appendix', () => {
  for (const { pdf, appendixPage } of [one, other]) {
    expect(pdf.subarray(0, 5).toString()).toBe('%PDF-');
    expect(appendixPage).toBeGreaterThan(3);
    expect(appendixPage).toBeLessThan(7);
  }
});

test('it quotes its run, and not another', () => {
  for (const { text, findings } of [one, other]) {
    expect([...quotedBy(findings), ...toldBy(findings)].filter((quote) => !text.includes(quote))).toEqual([]);
  }
  expect(quotedBy(other.findings).filter((quote) => one.text.includes(quote))).toEqual([]);
});

test('its pictures are those of its run', () => {
  for (const example of ['uncontended', 'contended', 'killed'] as const) {
    expect(one.findings[example].svg).not.toBe(other.findings[example].svg);
  }
  const { uncontended, contended, killed } = one.findings;
  expect(uncontended.svg).toContain(`enters, token ${uncontended.token - uncontended.base}<`);
  expect(contended.svg).toContain(`>Yield ${contended.grant - contended.base}<`);
  expect(contended.svg).toContain(`>Inquire ${contended.grant - contended.base} for ${contended.contenderTimestamp - contended.base}<`);
  expect(killed.svg).toContain('>kill -9<');
  expect(killed.svg).toContain(`enters, token ${killed.nextToken - killed.base}<`);
});

test('what it says of the protocol is so in the run', () => {
  for (const { findings: { overlaps, fallenTokens, majority, grid, contended, killed, again } } of [one, other]) {
    expect({ overlaps, fallenTokens }).toEqual({ overlaps: 0, fallenTokens: 0 });
    expect([majority.theory, grid.theory]).toEqual([3, 6]);
    // A slow machine repeats a Request; no entry takes fewer.
    for (const [cluster, least] of [[majority, 3], [grid, 6]] as const) expect(Math.min(...cluster.alone)).toBe(least);
    expect(contended.contenderTimestamp).toBeLessThanOrEqual(contended.yielderTimestamp);
    expect(killed.nextToken).toBeGreaterThan(killed.token);
    expect(again.messages.at(-1)).toBe(0);
  }
});

describe('a run that lacks something', () => {
  const changed = (change: (logs: string) => void): string => {
    const logs = mkdtempSync(join(directory, 'changed-'));
    cpSync(one.logs, logs, { recursive: true });
    change(logs);
    return logs;
  };
  const report = (logs: string): Findings => findingsOf(readRun(logs));

  test('that did not come to its end', () => {
    const logs = changed((at) => rmSync(join(at, 'facts.json')));
    expect(() => report(logs)).toThrow(new ReportError(`${join(logs, 'facts.json')} is missing: the run did not come to its end. Run it again`));
  });

  test('without the log of a node', () => {
    const logs = changed((at) => rmSync(join(at, 'grid/n2.trace')));
    expect(() => report(logs)).toThrow(new ReportError(`${join(logs, 'grid')} holds no log of n2`));
  });

  test('without Inquire and Yield', () => {
    // In a majority of three each node has but one vote to fetch, so nobody yields.
    const logs = changed((at) => {
      rmSync(join(at, 'grid'), { recursive: true });
      cpSync(join(at, 'majority'), join(at, 'grid'), { recursive: true });
    });
    expect(() => report(logs)).toThrow('no log of the grid holds a contended entry with Inquire and Yield. Run it again, or for more rounds');
  });

  test('whose log was changed afterwards', () => {
    const logs = changed((at) => {
      const path = join(at, 'majority/n1.trace');
      writeFileSync(path, readFileSync(path, 'utf8').replace(/"token":(\d+)/, (_, token: string) => `"token":${Number(token) + 1}`));
    });
    expect(() => report(logs)).toThrow(/^the core of this version answers differently from what the log says/);
  });
});
