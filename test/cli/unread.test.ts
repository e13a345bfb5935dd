/** Programs whose standard output nobody reads: they end quietly, and leave nothing behind. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../../src/cli/demo/cluster';
import { PROGRAM, Program, Started, startCluster } from '../support/processes';

/** What a shell says of a program that SIGPIPE ended. */
const PIPE_CLOSED = 141;
const simulator = join(__dirname, '../../dist/sim');
const configuration = join(__dirname, '../../quorums.json');

interface End {
  readonly code: number | NodeJS.Signals;
  readonly errors: string;
}

/** How a program ends whose reader went away before it printed anything. */
async function unread(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<End> {
  const started = new Started([process.execPath, file, ...args], { env: { ...process.env, ...env } });
  started.child.stdout?.destroy();
  const code = await started.ended;
  return { code, errors: started.errors };
}

const ENDED_QUIETLY: End = { code: PIPE_CLOSED, errors: '' };

test.each([
  ['sim --help', 'main.js', ['--help']],
  ['sim --seed', 'main.js', ['--seed', '42', '--trace']],
  ['sim --seeds', 'main.js', ['--seeds', '1..2', '--jobs', '1']],
  // It takes minutes and never gets to its event loop.
  ['sim:explore', 'explore/main.js', ['--requests', '3', '--shared', '2', '--duplicate', '1', '--cancel', '1']],
  ['sim:mutants', 'mutants/main.js', ['--only', 'no-floor', '--jobs', '1']],
])('%s', async (_, program, args) => {
  expect(await unread(join(simulator, program), args)).toEqual(ENDED_QUIETLY);
});

test.each([
  ['maekawa --help', ['--help']],
  ['maekawa quorums describe', ['quorums', 'describe', configuration]],
  ['maekawa completion', ['completion', 'bash']],
])('%s', async (_, args) => {
  expect(await unread(PROGRAM, args)).toEqual(ENDED_QUIETLY);
});

test('maekawa demo takes its nodes with it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'maekawa-unread-'));
  try {
    expect(await unread(PROGRAM, ['demo', '--config', configuration], { TMPDIR: directory })).toEqual(ENDED_QUIETLY);
    expect(readdirSync(directory)).toEqual([]); // it is removed when all of them have ended
  } finally {
    rmSync(directory, { recursive: true });
  }
});

describe('commands that ask nodes', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.remove());

  test.each([
    ['status', []],
    ['status', ['--watch']],
    ['who', []],
    ['who', ['free', '--json']],
    ['watch', ['free']],
  ])('maekawa %s %p', async (command, args) => {
    expect(await unread(PROGRAM, [command, '--config', cluster.configFile, ...args])).toEqual(ENDED_QUIETLY);
  });

  test.each(['lock', 'steal'])('maekawa %s gives the lock back whose token nobody reads', async (command) => {
    expect(await unread(PROGRAM, [command, '--config', cluster.configFile, 'invoices'])).toEqual(ENDED_QUIETLY);
    expect(await new Program(['lock', '--config', cluster.configFile, 'invoices', '--try', '--', 'true']).ended).toBe(0);
  });
});
