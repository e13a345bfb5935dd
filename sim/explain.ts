/** What can be made of one run besides its verdict: a smaller one, a page, a log; and the way back from files to runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { PRODUCTION_CORE } from './core';
import type { Core } from './core';
import { asScenario, describeMinimised, isPlanFile, minimise, planFileText, replayPlanFile } from './minimise';
import { describeDifference, isTraceFile, readTrace, recordTraces, replay } from './replay';
import type { TracedLife } from './replay';
import { pageHtml, recordRun } from './page';
import type { Recording } from './page';
import type { RunReport } from './outcome/report';
import { shivizLog } from './page/shiviz';

export interface Wanted {
  /** Of a run that fails: cut it down, and write what is left to this file, or to one named by its seed. */
  readonly minimise?: string | true;
  /** Write the run as a page. */
  readonly html?: string;
  /** Write the run as a log for ShiViz. */
  readonly shiviz?: string;
  /** The bug that is planted in the core: a replay needs it, too. */
  readonly mutant?: string;
}

export interface ExplainTools {
  /** The core that ran. Default: that of production. */
  readonly core?: Core;
  /** A command that repeats the run, for the page. */
  readonly command?: string;
  readonly write: (line: string) => void;
}

/** Minimise a run that failed, if asked to, and write the files that are wanted. */
export function explain(report: RunReport, wanted: Wanted, tools: ExplainTools): void {
  const { core = PRODUCTION_CORE, command, write } = tools;
  let shown = report;
  if (wanted.minimise !== undefined && report.violation !== null) {
    const file = wanted.minimise === true ? `minimal-${report.plan.seed}.json` : wanted.minimise;
    const small = minimise(report.plan, { core });
    shown = small.report;
    writeFileSync(file, planFileText(shown));
    write(`\nminimised: ${describeMinimised(small)}\nwritten to ${file}; replay with: npm run sim -- --replay ${file}${wanted.mutant === undefined ? '' : ` --mutant ${wanted.mutant}`}`);
    const scenario = asScenario(small.plan, core);
    if (scenario !== null) {
      const scenarioFile = `${file.replace(/\.json$/, '')}.txt`;
      writeFileSync(scenarioFile, scenario);
      write(`as a scenario: ${scenarioFile}`);
    }
  } else if (wanted.minimise !== undefined) {
    write('nothing to minimise: all checks held');
  }
  if (wanted.html === undefined && wanted.shiviz === undefined) return;
  const isSmaller = shown !== report;
  const title = `Seed ${report.plan.seed}${isSmaller ? ', minimised' : ''}`;
  const { recording } = recordRun(shown.plan, { core, title, subtitle: command === undefined ? [] : [command] });
  writePictures(recording, wanted, write);
}

function writePictures(recording: Recording, { html, shiviz }: Wanted, write: (line: string) => void): void {
  if (html !== undefined) {
    writeFileSync(html, pageHtml(recording));
    write(`page written to ${html}`);
  }
  if (shiviz !== undefined) {
    writeFileSync(shiviz, shivizLog(recording));
    write(`log for ShiViz written to ${shiviz}`);
  }
}

/**
 * Run saved plans again, and feed traces of real nodes through the core again.
 * Returns whether all went as recorded and no check failed.
 * @throws RangeError when a file is neither
 */
export function replayFiles(files: readonly string[], wanted: Wanted, tools: ExplainTools): boolean {
  const lives: TracedLife[] = [];
  let isGood = true;
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    if (isTraceFile(text)) lives.push(...readTrace(text, file));
    else if (isPlanFile(text)) isGood = replayPlan(file, text, wanted, tools) && isGood;
    else throw new RangeError(`${file} is neither a saved plan nor a trace of a node`);
  }
  return lives.length === 0 ? isGood : replayTraces(lives, wanted, tools) && isGood;
}

function replayPlan(file: string, text: string, wanted: Wanted, tools: ExplainTools): boolean {
  const { report, isSame } = replayPlanFile(text, tools.core === undefined ? {} : { core: tools.core });
  const { violation, hash, events } = report;
  tools.write(`${file}: ${events} events, hash ${hash}, ${isSame ? 'the very run that was saved' : 'not the run that was saved: the core or the simulator has changed'}`);
  tools.write(violation === null ? 'all checks held' : `VIOLATION of ${violation.check}: ${violation.detail}`);
  explain(report, wanted, tools);
  return violation === null;
}

function replayTraces(lives: readonly TracedLife[], wanted: Wanted, { core = PRODUCTION_CORE, write }: ExplainTools): boolean {
  const differences = replay(lives, core);
  for (const difference of differences) write(describeDifference(difference));
  const steps = lives.reduce((sum, life) => sum + life.steps.length, 0);
  const nodes = new Set(lives.map((life) => life.node)).size;
  const lifeText = lives.length === nodes ? '' : ` in ${lives.length} lives`;
  write(`${steps} events of ${nodes} ${nodes === 1 ? 'node' : 'nodes'}${lifeText} replayed: ${differences.length === 0 ? 'no difference' : `${differences.length} differ`}`);
  if (wanted.html !== undefined || wanted.shiviz !== undefined) writePictures(recordTraces(lives, core), wanted, write);
  return differences.length === 0;
}
