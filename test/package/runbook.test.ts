/** The commands of the runbook and of the page on set-ups, typed as they stand there, against real nodes. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAM, freePorts, isRunning, until } from '../support/processes';
import { commandsOf } from './markdown';

const IDS = ['n1', 'n2', 'n3'];

/** What stands for the service manager: it returns when the old process has ended. */
const RESTART = `#!/bin/sh
if [ -f $1.pid ]; then
  kill $(cat $1.pid)
  while kill -0 $(cat $1.pid) 2>/dev/null; do sleep 0.05; done
fi
maekawa node --id $1 --data-dir data/$1 >>$1.log 2>&1 </dev/null &
echo $! >$1.pid
`;

const place = mkdtempSync(join(tmpdir(), 'maekawa-runbook-'));
const pidOf = (id: string): number => Number(readFileSync(join(place, `${id}.pid`), 'utf8'));

beforeAll(async () => {
  const ports = await freePorts(IDS.length);
  const nodes = IDS.map((id, index) => ({ id, address: `127.0.0.1:${ports[index] ?? 0}` }));
  writeFileSync(join(place, 'quorums.json'), JSON.stringify({ cluster: 'runbook', nodes, quorums: { family: 'majority' }, leaseMs: 1_000 }));
  mkdirSync(join(place, 'bin'));
  writeFileSync(join(place, 'bin/maekawa'), `#!/bin/sh\nexec ${process.execPath} ${PROGRAM} "$@"\n`, { mode: 0o755 });
  writeFileSync(join(place, 'restart.sh'), RESTART, { mode: 0o755 });
});
afterAll(() => {
  for (const id of IDS) if (existsSync(join(place, `${id}.pid`)) && isRunning(pidOf(id))) process.kill(pidOf(id), 'SIGKILL');
  rmSync(place, { recursive: true });
});

function type(command: string): Promise<{ code: number | null; output: string }> {
  const child = spawn('sh', ['-c', command], { cwd: place, env: { ...process.env, PATH: `${join(place, 'bin')}:${process.env['PATH']}` }, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

test('every command of both pages does what its page says', async () => {
  await Promise.all(IDS.map((id) => type(`./restart.sh ${id}`)));
  await until(async () => (await type('maekawa status --wait-ready 60s')).code === 0, 'all to be ready');
  const before = IDS.map(pidOf);
  const expected: Readonly<Record<string, RegExp>> = {
    'maekawa status': /3 of 3 nodes are up, 3 of them ready; a lock can be had through each of them/,
    'maekawa who': /^(?!maekawa:)/,
    'maekawa status --wait-ready 60s': /3 of them ready/,
    'for node in n1 n2 n3; do ./restart.sh $node && maekawa status --wait-ready 60s || break; done': /(3 of them ready[^]*){3}/,
    'maekawa status --node n1 --wait-ready 0s': /1 of 1 nodes are up, 1 of them ready/,
    'maekawa quorums init --nodes 5 --out five.json': /wrote five\.json/,
    'maekawa quorums describe five.json': /any 2 of 5/,
  };
  const exits: Readonly<Record<string, number>> = { 'maekawa who': 1 }; // nobody holds anything
  const commands = ['docs/runbook.md', 'docs/choosing.md'].flatMap((page) => commandsOf(page).map(({ text }) => text));
  for (const command of commands) {
    if (command === 'maekawa node --id n1 --grace 25s') continue; // in test/cli/node.test.ts
    const { code, output } = await type(command);
    expect([command, code, output]).toEqual([command, exits[command] ?? 0, expect.stringMatching(expected[command] ?? /the test knows this command/)]);
  }
  expect(commands).toEqual(expect.arrayContaining(Object.keys(expected)));
  expect(IDS.map(pidOf).filter((pid) => before.includes(pid))).toEqual([]);
});
