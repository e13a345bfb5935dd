// Runs the steps of a check, some beside others, says how long each took, and ends with what the tests counted. Law: every step
// is run, whatever became of those before it, and nothing is printed after the last line, which is the counts alone.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** How long what a step has printed may take to arrive once it has ended. A process that it left behind may keep its output open. */
const DRAIN_MS = 2_000;

/**
 * A step is a command line, or `{ run, nodeMin }` for one whose tool needs a newer Node.js than the package does. `steps` are run
 * one after the other, and then `tests`, the command line of Jest, with `env`. Many tests wait more than they compute, so the steps of
 * `beside` take what is left of the machine meanwhile: one after the other, at the lowest priority, from the end of the first of
 * `steps` on, which both need. Each is shown once the step has ended during which it ended. Resolves to the exit code.
 */
export async function runSteps(steps, { tests, beside = [], env = {} }) {
  const results = [];
  const [first, ...others] = steps;
  if (first !== undefined) results.push(await runStep(first, say));
  const besides = runBeside(beside);
  for (const step of others) {
    results.push(await runStep(step, say));
    besides.show();
  }
  const { counts, ...result } = await countTests(tests, env);
  results.push(result);
  besides.show();
  results.push(...(await besides.results));
  besides.show();
  say('\n== seconds\n');
  for (const { run, seconds, code } of results) {
    say(`${seconds.toFixed(1).padStart(6)}  ${run}${code === 0 ? '' : `  FAILED with exit code ${code}`}\n`);
  }
  say(`${(performance.now() / 1000).toFixed(1).padStart(6)}  in all; ${beside.length} of these steps ran beside others\n\n`);
  const { passed, failed, skipped } = counts;
  say(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}\n`);
  return results.every(({ code }) => code === 0) && failed === 0 ? 0 : 1;
}

/** Runs them one after the other. `show` says what those printed that have ended. */
function runBeside(steps) {
  const ended = [];
  const run = async () => {
    const results = [];
    for (const step of steps) {
      const printed = [];
      results.push(await runStep(step, (text) => printed.push(Buffer.from(text)), { isBeside: true }));
      ended.push(Buffer.concat(printed));
    }
    return results;
  };
  return { results: run(), show: () => ended.splice(0).forEach(say) };
}

async function runStep(step, print, { env = {}, isBeside = false } = {}) {
  const { run, nodeMin = '0.0' } = typeof step === 'string' ? { run: step } : step;
  print(`\n== ${run}\n`);
  if (isOlder(process.versions.node, nodeMin)) {
    print(`left out: its tool needs Node.js ${nodeMin}, and this is ${process.versions.node}\n`);
    return { run: `${run} (left out)`, seconds: 0, code: 0 };
  }
  const startedAtMs = performance.now();
  const [file, ...args] = [...(isBeside ? ['nice', '-n', '19'] : []), 'sh', '-c', run];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
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
    const result = await runStep(`${run} --json --outputFile=${file}`, say, { env });
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
