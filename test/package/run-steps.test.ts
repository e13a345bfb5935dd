/**
 * What CI prints last: the counts of the whole Jest run, whatever came before. Jest is the real one, in small projects, where it
 * matters what Jest counts; it takes a second to start.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './packed';

const JEST = `node ${JSON.stringify(join(ROOT, 'node_modules/jest/bin/jest.js'))}`;

const PASSES = "test('one', () => undefined);\ntest('another', () => undefined);\n";
const FAILS = "test('a wrong one', () => expect(1).toBe(2));\n";
const SKIPS = "test.skip('not now', () => undefined);\ntest.todo('later');\ntest('now', () => undefined);\n";
const DOES_NOT_START = "require('./not-there');\ntest('never', () => undefined);\n";
/** Stands for Jest where it matters only that tests are run: one passes, once the files are there that are its arguments. */
const STAND_IN = `
const { existsSync, writeFileSync } = require('node:fs');
const file = process.argv.at(-1).slice('--outputFile='.length);
writeFileSync('tests-begun', '');
for (const each of process.argv.slice(2, -2)) while (!existsSync(each));
writeFileSync(file, JSON.stringify({ numPassedTests: 1, numFailedTests: 0, numRuntimeErrorTestSuites: 0, numPendingTests: 0, numTodoTests: 0 }));
`;

const DOES_NOT_END_WELL = "afterAll(() => {\n  throw new Error('afterwards');\n});\ntest('one', () => undefined);\n";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'maekawa-steps-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

interface Outcome {
  readonly code: number | null;
  readonly lines: string[];
  readonly stderr: string;
}

interface Work {
  readonly steps?: readonly unknown[];
  readonly beside?: readonly unknown[];
  readonly tests?: string;
}

function run(suites: Readonly<Record<string, string>>, { steps = [], beside = [], tests = JEST }: Work = {}): Outcome {
  for (const [name, text] of Object.entries(suites)) writeFileSync(join(directory, `${name}.test.js`), text);
  writeFileSync(join(directory, 'package.json'), '{ "private": true }');
  writeFileSync(join(directory, 'check.mjs'), `
import { runSteps } from ${JSON.stringify(pathToFileURL(join(ROOT, 'scripts/run-steps.mjs')).href)};
process.exit(await runSteps(${JSON.stringify(steps)}, ${JSON.stringify({ beside, tests })}));
`);
  const temporary = join(directory, 'temporary');
  mkdirSync(temporary);
  const { status, stdout, stderr } = spawnSync(process.execPath, ['check.mjs'], { cwd: directory, encoding: 'utf8', env: { ...process.env, TMPDIR: temporary } });
  expect(stdout).toMatch(/\n$/);
  return { code: status, lines: stdout.slice(0, -1).split('\n'), stderr };
}

test.each<[string, Record<string, string>, string, number]>([
  ['all pass', { passes: PASSES }, '2 passed, 0 failed', 0],
  ['one fails', { passes: PASSES, fails: FAILS }, '2 passed, 1 failed', 1],
  ['some are skipped or to do', { passes: PASSES, skips: SKIPS }, '3 passed, 0 failed, 2 skipped', 0],
  ['a suite that does not start is a failed test', { passes: PASSES, broken: DOES_NOT_START }, '2 passed, 1 failed', 1],
  ['a suite that does not end well too', { broken: DOES_NOT_END_WELL }, '1 passed, 1 failed', 1],
  ['everything', { passes: PASSES, fails: FAILS, skips: SKIPS, broken: DOES_NOT_START }, '3 passed, 2 failed, 2 skipped', 1],
  ['there is no test', {}, '0 passed, 1 failed', 1],
])('the last line when %s', (_, suites, line, code) => {
  const outcome = run(suites);
  expect([outcome.lines.at(-1), outcome.code, outcome.stderr]).toEqual([line, code, '']);
});

test('Jest that does not run at all is a failure', () => {
  expect(run({}, { tests: 'sh -c "exit 3"' })).toMatchObject({ code: 1, lines: expect.arrayContaining(['0 passed, 1 failed']) as string[] });
});

/** As `run`, with a stand-in for Jest. */
function runSteps(work: Work): Outcome {
  writeFileSync(join(directory, 'stand-in.js'), STAND_IN);
  return run({}, { tests: 'node stand-in.js', ...work });
}

test.each<[string, Work]>([
  ['before the tests', { steps: ['echo first; exit 7', 'echo second'] }],
  ['beside them', { beside: ['echo first; exit 7', 'echo second'] }],
])('a step that fails %s does not keep the others from running, and the exit code tells of it', (_, work) => {
  const { code, lines } = runSteps(work);
  expect(lines).toEqual(expect.arrayContaining(['first', 'second', expect.stringMatching(/^ +\d+\.\d {2}echo first; exit 7 {2}FAILED with exit code 7$/)]));
  expect([lines.at(-1), code]).toEqual(['1 passed, 0 failed', 1]);
});

describe('steps that are run beside others', () => {
  /** Each of two such steps waits for the other: they end only when they do run at once. */
  const meet = (own: string, other: string): string => `echo ${own} begins; touch ${own}; until [ -e ${other} ]; do :; done; echo ${own} ends`;

  test('are run at once with them, and shown after them', () => {
    const { code, lines } = runSteps({ steps: ['echo first', meet('a', 'b')], beside: [meet('b', 'a'), 'echo last'] });
    expect(lines.filter((line) => /^([ab] (begins|ends)|first|last)$/.test(line))).toEqual(['first', 'a begins', 'a ends', 'b begins', 'b ends', 'last']);
    expect(code).toBe(0);
  });

  test('are run at once with the tests', () => {
    const { code, lines } = runSteps({ beside: [meet('b', 'tests-begun')], tests: 'node stand-in.js b' });
    expect(lines).toContain('b ends');
    expect([lines.at(-1), code]).toEqual(['1 passed, 0 failed', 0]);
  });

  test('begin after the first step, which they need, and take what the others leave of the machine', () => {
    const { code, lines } = runSteps({ steps: ['echo built > file'], beside: ['cat file; echo niceness $(nice)'] });
    expect(lines).toEqual(expect.arrayContaining(['built', `niceness ${Math.min(19, getPriority() + 19)}`]));
    expect(code).toBe(0);
  });

  test('may end after the tests: the counts wait for them', () => {
    const { code, lines } = runSteps({ beside: ['until [ -e tests-ended ]; do :; done; echo late; exit 5'], tests: "sh -c 'node stand-in.js $@; touch tests-ended' sh" });
    expect(lines).toContain('late');
    expect([lines.at(-1), code]).toEqual(['1 passed, 0 failed', 1]);
  });
});

test('a step whose tool needs a newer Node.js is left out, and said so', () => {
  const { code, lines } = runSteps({ steps: [{ run: 'exit 1', nodeMin: '999.0' }, { run: 'echo runs', nodeMin: '20.5' }] });
  expect(lines).toEqual(expect.arrayContaining([`left out: its tool needs Node.js 999.0, and this is ${process.versions.node}`, 'runs']));
  expect(code).toBe(0);
});

test('what a test leaves running prints nothing after the last line', () => {
  // It has the output of the run as its own, and prints until that is closed.
  const suite = `
const { spawn } = require('node:child_process');
test('leaves a process behind', () => {
  spawn('sh', ['-c', 'while echo still here; do sleep 0.1; done'], { stdio: 'inherit', detached: true }).unref();
});
`;
  const { code, lines } = run({ suite }, { tests: `${JEST} --forceExit` });
  expect(lines).toContain('still here');
  expect([lines.at(-1), code]).toEqual(['1 passed, 0 failed', 0]);
});

test('nothing is left behind', () => {
  run({ fails: FAILS });
  expect(readdirSync(directory).sort()).toEqual(['check.mjs', 'fails.test.js', 'package.json', 'temporary']);
  // Jest keeps its cache there.
  expect(readdirSync(join(directory, 'temporary')).filter((name) => name.startsWith('maekawa-'))).toEqual([]);
});

describe('CI runs what people run', () => {
  const script = readFileSync(join(ROOT, '.ci/run'), 'utf8');

  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

  test('.ci/run is npm ci and the list of npm run check, and ends with it', () => {
    expect(script).toMatch(/^if ! npm ci; then$/m);
    expect(script.trimEnd().split('\n').at(-1)).toBe(`exec ${scripts['check']}`);
  });

  test("the tests are the README's npm test, on what was built before", () => {
    const check = readFileSync(join(ROOT, 'scripts/check.mjs'), 'utf8');
    expect(scripts['test']).toBe('npm run --silent build && jest');
    expect(check).toContain("const steps = [\n  'npm run build',\n");
    expect(check).toContain("tests: 'npx jest --forceExit'");
  });

  test.each(['demo', 'sim', 'sim:clients', 'sim:explore', 'sim:mutants'])('npm run %s is among the steps, without another build', (name) => {
    const [, program = '?'] = /^npm run --silent build && (node .*)$/.exec(scripts[name] ?? '') ?? [];
    expect(readFileSync(join(ROOT, 'scripts/check.mjs'), 'utf8')).toMatch(new RegExp(`^  '${program}[ ']`, 'm'));
  });

  test('the shell reads .ci/run, and it can be executed', () => {
    execFileSync('bash', ['-n', join(ROOT, '.ci/run')]);
    expect(spawnSync('test', ['-x', join(ROOT, '.ci/run')]).status).toBe(0);
  });
});
