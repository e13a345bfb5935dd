// Runs the steps of a check one after the other, says how long each took, and ends with what the tests counted. Law: every
// step is run, whatever became of those before it, and nothing is printed after the last line, which is the counts alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long what a step has printed may take to arrive once it has ended. A process that it left behind may keep its output open. */
const DRAIN_MS = 2_000;

/**
 * A step is a command line, or `{ run, nodeMin }` for one whose tool needs a newer Node.js than the package does. A list of
 * steps is run at once, and shown one after the other. `tests` is the command line of Jest, run last, with `env`.
 * Resolves to the exit code.
 */
export async function runSteps(stages, { tests, env = {} }) {
  const results = [];
  for (const stage of stages) {
    const steps = [stage].flat();
    if (steps.length === 1) {
      results.push(await runStep(steps[0], say));
      continue;
    }
    const printed = steps.map(() => []);
    const running = steps.map((step, index) => runStep(step, (text) => printed[index].push(text)));
    for (const [index, result] of running.entries()) {
      results.push(await result);
      say(Buffer.concat(printed[index].map((text) => Buffer.from(text))));
    }
  }
  const { counts, ...result } = await countTests(tests, env);
  results.push(result);
  say('\n== seconds\n');
  for (const { run, seconds, code } of results) {
    say(`${seconds.toFixed(1).padStart(6)}  ${run}${code === 0 ? '' : `  FAILED with exit code ${code}`}\n`);
  }
  say(`${results.reduce((sum, { seconds }) => sum + seconds, 0).toFixed(1).padStart(6)}  in all; steps that are run at once count each\n\n`);
  const { passed, failed, skipped } = counts;
  say(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`);
  return results.every(({ code }) => code === 0) && failed === 0 ? 0 : 1;
}

async function runStep(step, print, env = {}) {
  const { run, nodeMin = '0.0' } = typeof step === 'string' ? { run: step } : step;
  print(`\n== ${run}\n`);
  if (isOlder(process.versions.node, nodeMin)) {
    print(`left out: its tool needs Node.js ${nodeMin}, and this is ${process.versions.node}\n`);
    return { run: `${run} (left out)`, seconds: 0, code: 0 };
  }
  const startedAtMs = performance.now();
  const child = spawn(run, { shell: true, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', print);
  const closed = once(child, 'close');
  const [code, signal] = await once(child, 'exit');
  await Promise.race([closed, sleep(DRAIN_MS, undefined, { ref: false })]);
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  return { run, seconds: (performance.now() - startedAtMs) / 1000, code: code ?? signal };
}

/** Jest counts. Whatever kept it from counting is a failure, and so is a suite that does not start: it may have any number of tests. */
async function countTests(run, env) {
  const directory = mkdtempSync(join(tmpdir(), 'maekawa-counts-'));
  const file = join(directory, 'counts.json');
  try {
    const result = await runStep(`${run} --json --outputFile=${file}`, say, env);
    const counts = countsIn(file);
    if (result.code !== 0 && counts.failed === 0) counts.failed = 1;
    return { ...result, run, counts };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function countsIn(file) {
  try {
    const report = JSON.parse(readFileSync(file, 'utf8'));
    return {
      passed: report.numPassedTests,
      failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
      skipped: report.numPendingTests + report.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

function isOlder(version, than) {
  const [major, minor] = version.split('.').map(Number);
  const [majorMin, minorMin] = than.split('.').map(Number);
  return major < majorMin || (major === majorMin && minor < minorMin);
}

/** All on one stream, so that no reader can put the last line before another one. */
function say(text) {
  process.stdout.write(text);
}
