/**
 * `npm run report`: starts real nodes, records what they do, and writes docs/report.pdf about it. Arguments, all optional:
 * `--record DIRECTORY` keeps the logs there, `--logs DIRECTORY` takes those of an earlier run, `--out FILE` names another file.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { findingsOf } from './findings';
import type { Findings } from './findings';
import { ReportError, readRun } from './logs';
import { ROOT } from './root';
import { RUN_DEFAULTS, runClusters } from './run';
import { typeset } from './typeset';

/** Not every run holds every example: it takes two nodes that ask at the same moment. */
const RUNS_MAX = 3;

async function main(): Promise<void> {
  const { values: { logs, record, out = join(ROOT, 'docs/report.pdf') } } = parseArgs({ options: { logs: { type: 'string' }, record: { type: 'string' }, out: { type: 'string' } } });
  const findings = logs === undefined ? await findingsOfNewRun(record) : findingsOf(readRun(logs));
  const { pages, appendixPage } = typeset(findings, out);
  print(`wrote ${out}: ${appendixPage - 1} pages and ${pages - appendixPage + 1} of logs, about ${findings.events} events`);
}

async function findingsOfNewRun(record?: string): Promise<Findings> {
  const interrupted = new AbortController();
  // The nodes and the directory would stay behind.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort(new Error(`ended by ${signal}; nothing was written`)));
  for (let run = 1; ; run++) {
    const directory = mkdtempSync(join(tmpdir(), 'maekawa-report-'));
    try {
      await runClusters(directory, RUN_DEFAULTS, interrupted.signal);
      const findings = findingsOf(readRun(directory));
      if (record !== undefined) cpSync(directory, record, { recursive: true });
      return findings;
    } catch (error) {
      if (!(error instanceof ReportError) || run === RUNS_MAX) throw error;
      print(`run ${run} of ${RUNS_MAX}: ${error.message}`);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`report: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
