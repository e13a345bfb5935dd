/**
 * The documentation is true: what it shows compiles against the package's types and runs, what it tells to
 * type works when typed, and what it names is there.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { Cluster } from '../../src/cli/demo/cluster';
import { readConfiguration } from '../../src/config';
import { lockNameBytesMax } from '../../src/lock-name';
import { DEFAULT_LIMITS } from '../../src/service/limits';
import { PAGE_BYTES } from '../../src/service/pages';
import { frameBytesMax } from '../../src/transport/codec';
import { handshakeMs } from '../../src/transport/gate';
import { callsPerConnectionMax, connectionIdleMs } from '../../src/transport/server';
import { until } from '../support/processes';
import { anchorsOf, blocksOf, codeIn, commandsOf, markdownFiles, proseOf, read } from './markdown';
import type { Block, Line } from './markdown';
import { PackedPackage, ROOT } from './packed';

const files = markdownFiles();
/** For users; the rest is for those who work on the project. */
const userFiles = files.filter((file) => file === 'README.md' || file.startsWith('docs/') || file.startsWith('examples/'));
const blocks = userFiles.flatMap(blocksOf);

let packed: PackedPackage;

beforeAll(() => {
  packed = new PackedPackage();
});
afterAll(() => packed.remove());

describe('TypeScript', () => {
  /** What examples leave to the reader. */
  const globals = `
declare const node: import('maekawa').MaekawaNode;
declare const store: { write(data: string, guard?: { token: number }): Promise<void> };
declare const data: string;
declare const invoices: string;
declare const pool: import('pg').Pool;
declare const id: number;
declare const test: typeof import('@jest/globals').test, expect: typeof import('@jest/globals').expect, jest: typeof import('@jest/globals').jest;
`;
  const typescript = blocks.filter(({ language }) => language === 'ts');
  const folderOf = (block: Block): string => `examples-of/${block.place.replace(/\W/g, '-')}`;

  test('every example compiles', () => {
    const paths = typescript.map((block) => {
      // Beside the files that it may import.
      cpSync(join(ROOT, dirname(block.file)), join(packed.directory, folderOf(block)), { recursive: true, filter: (path) => dirname(block.file).startsWith('examples/') && /(^|\/)[^.]+$|\.ts$/.test(path) });
      // And the module of the page that its tests import.
      const tested = typescript.find(({ file, text }) => file === block.file && text.includes('export async function nightly'));
      if (tested !== undefined) packed.write(`${folderOf(block)}/nightly.ts`, tested.text);
      const path = `${folderOf(block)}/example.ts`;
      packed.write(path, `${block.text}\nexport {};\n`);
      return path;
    });
    packed.write('globals.d.ts', globals);
    const options = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler, paths: { pg: [join(ROOT, 'node_modules/@types/pg')], '@jest/globals': [join(ROOT, 'node_modules/@jest/globals')] } };
    expect(packed.diagnose(['globals.d.ts', ...paths], options)).toEqual([]);
    packed.write('wrong.ts', "export const text: string = await node.locks.request('a', (lock) => lock.token);\n");
    expect(packed.diagnose(['globals.d.ts', 'wrong.ts'], options)).toHaveLength(1); // the compiler is really looking
  });

  /**
   * The first one starts a node of its own: the test of the package runs it. Those with a database are tested with one, and
   * those that are tests by test/testing/page.test.ts. That of the page on TLS needs the files of the page.
   */
  const running = typescript.filter(({ file, text }) => !/startNode|pool/.test(text) && file !== 'docs/testing.md' && file !== 'docs/tls.md');

  test.each(running)('the example at $place runs, and prints what it says', ({ text }) => {
    const { outputText } = ts.transpileModule(text, { compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext } });
    packed.write('example.mjs', outputText);
    packed.write('run.mjs', `
import { testCluster } from 'maekawa/testing';
const cluster = await testCluster();
const writes = [];
Object.assign(globalThis, { node: cluster.node('n1'), data: 'x', invoices: 'x', store: { write: async (data, guard) => void writes.push(guard.token) } });
await import('./example.mjs');
if (/store.write/.test(${JSON.stringify(text)})) console.log('wrote with a token:', Number.isSafeInteger(writes[0]));
const { held } = await cluster.node('n1').locks.query();
console.log('held at the end:', held.length);
await cluster.stop();
`);
    const output = packed.run(process.execPath, 'run.mjs');
    for (const [, expected = ''] of text.matchAll(/console\.log\(.*\); \/\/ ([^:\n]+)/g)) expect(output).toMatch(new RegExp(`^${expected}$`, 'm'));
    if (text.includes('store.write')) expect(output).toMatch(/^wrote with a token: true$/m);
    expect(output).toMatch(/^held at the end: 0$/m);
  });

  test('there are examples of each kind', () => {
    expect(running.length).toBeGreaterThanOrEqual(3);
    expect(typescript.length).toBeGreaterThan(running.length);
  });

  test('the table of the library names what there is', () => {
    const rows = proseOf('README.md').flatMap(({ text }) => /^\| (`(?:startNode|locks|lock|node|connect|fence\(|\{).*?`) \| /.exec(text)?.[1] ?? []);
    expect(rows.length).toBeGreaterThan(10);
    const uses = rows.flatMap(codeIn).map((code, index) =>
      code.startsWith('{') ? `export const options${index}: LockOptions = ${code};` : `void ${code.replace(/(options|tls|config)\?/g, '$1').replace(/, …/g, '')};`);
    packed.write('table.ts', `
import { connect, fence, startNode } from 'maekawa';
import type { FenceStore, Lock, LockManager, LockOptions, MaekawaNode } from 'maekawa';
declare const id: string, config: string, name: string, label: string;
declare const options: Omit<LockOptions, 'ifAvailable'>, callback: (lock: Lock) => void;
declare const signal: AbortSignal, waitMs: number, atLeastMs: number, maxHoldMs: number, permits: number, addresses: string[], tls: { certFile: string; keyFile: string; caFile: string };
declare const locks: LockManager, lock: Lock, node: MaekawaNode, store: FenceStore<unknown>, write: () => Promise<void>;
${uses.join('\n')}
`);
    expect(packed.diagnose(['table.ts'])).toEqual([]);
  });

  test('the table of errors has every code, and no other', () => {
    const codes = proseOf('README.md').flatMap(({ text }) => /^\| `([a-z-]+)` \| /.exec(text)?.[1] ?? []);
    const source = readFileSync(join(ROOT, 'src/errors.ts'), 'utf8');
    expect(codes.sort()).toEqual([...source.matchAll(/^ {2}\| '([a-z-]+)'/gm)].map(([, code]) => code).sort());
  });
});

test.each(blocks.filter(({ language }) => language === 'js'))('the JavaScript at $place is JavaScript', ({ text }) => {
  const { diagnostics = [] } = ts.transpileModule(text, { reportDiagnostics: true, compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, allowJs: true }, fileName: 'example.js' });
  expect(diagnostics.map(({ messageText }) => messageText)).toEqual([]);
});

describe('the command line', () => {
  test.each(files.flatMap(blocksOf).filter(({ language }) => language === 'sh'))('the shell reads the lines at $place', ({ text }) => {
    const { status, stderr } = spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  const helps = new Map<string, string>();
  /** Of `maekawa quorums init` and the like; empty when there is none. */
  function helpOf(subcommand: string): string {
    let help = helps.get(subcommand);
    if (help === undefined) {
      const { status, stdout } = spawnSync(process.execPath, [join(packed.directory, 'node_modules/maekawa/dist/src/cli/main.js'), ...subcommand.split(' '), '--help'], { encoding: 'utf8' });
      help = status === 0 && stdout.startsWith(`NAME\n  maekawa ${subcommand} - `) ? stdout : '';
      helps.set(subcommand, help);
    }
    return help;
  }

  /** Command lines of ours, wherever they stand; in a table, with the options that the rest of the row names. */
  const mentions: Line[] = files.flatMap((file) => [
    ...blocksOf(file).flatMap(({ place, text }) => text.split('\n').map((line) => ({ place, text: line.trim() }))),
    ...proseOf(file).flatMap(({ place, text }) => {
      const codes = codeIn(text).filter((code) => !/\bconsul\b|etcdctl/.test(code));
      return text.startsWith('| `maekawa') ? { place, text: codes.join(' ') } : codes.map((code) => ({ place, text: code }));
    }),
  ]).filter(({ text }) => /^maekawa [a-z]/.test(text) && !text.startsWith('maekawa COMMAND'));

  test('every command that is named exists, with its options', () => {
    const unknown = mentions.flatMap(({ place, text }) => {
      const [, subcommand = '', further = ''] = text.split(' ');
      const help = helpOf(subcommand) + (subcommand === 'quorums' ? helpOf(`quorums ${further}`) : '');
      if (help === '') return [`${place}: there is no maekawa ${subcommand}`];
      const ours = text.replace(/(^|\s)--\s.*?(?= --\w|$)/g, ' '); // what follows -- is somebody else's
      const options = [...ours.matchAll(/(?<=\s)(--[a-z][a-z-]*)/g)].map(([, option = '']) => option);
      return options.filter((option) => !help.includes(option)).map((option) => `${place}: maekawa ${subcommand} has no ${option}`);
    });
    expect(unknown).toEqual([]);
    expect(mentions.length).toBeGreaterThan(20);
  });

  test('every npm script that is named exists', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const missing = files.flatMap((file) => [...read(file).matchAll(/npm run ([a-z][a-z:-]*[a-z])/g)].filter(([, script = '']) => !(script in scripts)).map(([text]) => `${file}: ${text}`));
    expect(missing).toEqual([]);
  });
});

describe("the README's shell, typed line by line", () => {
  let cluster: Cluster;
  let place: string;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    // The README's own configuration, on ports that are free here.
    cluster = await Cluster.prepare(readConfiguration(join(ROOT, 'quorums.json')));
    place = join(packed.directory, 'typed');
    mkdirSync(place);
    writeFileSync(join(place, 'quorums.json'), readFileSync(cluster.configFile));
    writeFileSync(join(place, 'job.sh'), '#!/bin/sh\necho the token is $MAEKAWA_TOKEN\n', { mode: 0o755 });
  });
  afterAll(async () => {
    // Each has a process group of its own.
    for (const { pid } of children) {
      try {
        if (pid !== undefined) process.kill(-pid, 'SIGKILL');
      } catch {
        // it has ended
      }
    }
    await cluster.remove();
  });

  function type(command: string, directory = place): { child: ChildProcess; output: () => string; ended: Promise<number> } {
    const env = { ...process.env, PATH: `${join(packed.directory, 'node_modules/.bin')}:${process.env['PATH']}` };
    const child = spawn('sh', ['-c', command], { cwd: directory, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    children.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    return { child, output: () => output, ended: new Promise((resolve) => child.once('close', (code) => resolve(code ?? -1))) };
  }

  async function runs(command: string, expected: RegExp, directory = place): Promise<void> {
    const { output, ended } = type(command, directory);
    const code = await ended;
    expect([command, code, output()]).toEqual([command, 0, expect.stringMatching(expected)]);
  }

  const commands = commandsOf('README.md').map(({ text }) => text);
  const isNode = (command: string): boolean => command.startsWith('maekawa node ');

  test('three nodes start', async () => {
    for (const command of commands.filter(isNode)) {
      const { output } = type(command);
      await until(() => /listens on/.test(output()), () => `${command}: ${output()}`);
    }
    expect(commands.filter(isNode)).toHaveLength(3);
  });

  test('and all the rest works', async () => {
    const elsewhere = join(packed.directory, 'elsewhere');
    mkdirSync(elsewhere);
    for (const command of commands.filter((each) => !isNode(each))) {
      if (/^npm (ci|run|test|pack|install)\b/.test(command)) continue; // steps of .ci/run, or shorter forms of them
      if (command === 'maekawa status --watch') {
        const { child, output } = type(command);
        await until(() => /3 of 4 nodes are up, 3 of them ready; a lock can be had through n1, n2, n3/.test(output()), output);
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGINT');
      } else if (command.startsWith('maekawa quorums init ')) await runs(command, /wrote quorums\.json/, elsewhere);
      else if (command.startsWith('maekawa quorums ')) await runs(command, /majority/, elsewhere);
      else if (command.endsWith('./job.sh')) await runs(command, /^the token is \d+$/m);
      else if (command.startsWith('maekawa lock ')) await runs(command, /^holding invoices with token \d+$/m);
      else throw new Error(`no test knows how to run: ${command}`);
    }
  });
});

describe('what is needed', () => {
  test('CONTRIBUTING has a reason for each dependency', () => {
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: Record<string, string> };
    const named = proseOf('CONTRIBUTING.md').flatMap(({ text }) => /^\| `([^`]+)` \| \S/.exec(text)?.[1] ?? []);
    expect(named.sort()).toEqual(Object.keys(dependencies).sort());
  });

  test('the tree of an install is the one that there is, whatever its size today', () => {
    const tree = (text: string): string[] => text.trim().split('\n').map((line) => line.replace(/^ *\d+ kB|, [\d.]+ MB$/, ''));
    const printed = execFileSync(process.execPath, ['scripts/package-size.mjs'], { cwd: ROOT, encoding: 'utf8' });
    expect(tree(blocksOf('CONTRIBUTING.md').find(({ text }) => text.includes('kB  maekawa'))?.text ?? '')).toEqual(tree(printed));
    expect(read('README.md')).toContain(`${/^\d+ packages/m.exec(printed)?.[0]} in all`);
  });

  test('the README names the oldest Node.js that package.json allows', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    expect(read('README.md')).toContain(`Node.js ${engines.node.replace('>=', '')} or later`);
  });

  test('CI runs on the oldest Node.js that package.json allows, and on the newest', () => {
    const { engines } = JSON.parse(read('package.json')) as { engines: { node: string } };
    const workflow = read('.github/workflows/check.yml');
    expect(/^ +node: \[(.*)\]$/m.exec(workflow)?.[1]).toBe(`'${engines.node.replace('>=', '')}', 'latest'`);
    expect(workflow).toMatch(/^ +- run: \.ci\/run$/m);
  });
});

describe('links', () => {
  test.each(files)('of %s lead somewhere', (file) => {
    const broken = [...read(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => {
      if (/^[a-z]+:/.test(target)) return false;
      const [path = '', anchor] = target.split('#');
      const linked = path === '' ? file : join(dirname(file), path);
      return !existsSync(join(ROOT, linked)) || (anchor !== undefined && linked.endsWith('.md') && !anchorsOf(linked).includes(anchor));
    });
    expect(broken).toEqual([]);
  });
});

test('the limits that docs/limits.md names are those of the code', () => {
  const rows = proseOf('docs/limits.md').flatMap(({ text }) => {
    const [, what = '', limit = ''] = /^\| ([^|]+) \| (?:about )?(\d[^|]*) \|/.exec(text) ?? [];
    return what === '' ? [] : [[what.replace(/^`(\w+)`$/, '$1'), Number.parseInt(limit.replaceAll(',', '')) * (/^\d+ MiB/.test(limit) ? 2 ** 20 : /^\d+ KiB/.test(limit) ? 2 ** 10 : 1)] as const];
  });
  const constant = (file: string, name: string): number => {
    const [, base = '', power = '1'] = new RegExp(`^const ${name} = ([\\d_]+)(?: \\*\\* (\\d+))?;$`, 'm').exec(read(file)) ?? [];
    return Number(base.replaceAll('_', '')) ** Number(power);
  };
  expect(Object.fromEntries(rows)).toEqual({
    ...DEFAULT_LIMITS,
    'calls open over one connection': callsPerConnectionMax,
    'callers of a client to which it passes a lock on before its node looks again who stands first': constant('src/core/requester.ts', 'PASS_MAX'),
    'tokens that a client takes by itself for a lock that it keeps': constant('src/core/requester.ts', 'ROOM_MAX'),
    'changes of a watched lock that were not read': constant('src/service/watched-lock.ts', 'CHANGES_MAX'),
    'an answer to `Query` or `Status`': PAGE_BYTES,
    'grants and waiting requests of one lock in `Status`': constant('src/service/replies.ts', 'VOTES_LISTED_MAX'),
    'messages on one stream of a lock (`Hold`)': constant('src/service/served-hold.ts', 'MESSAGES_PER_LEASE_MAX'),
    'events in one frame of a node': constant('src/core/served-session.ts', 'EVENTS_PER_FRAME_MAX'),
    'open sessions over one connection': constant('src/service/admission.ts', 'SESSIONS_PER_CONNECTION'),
    'name of a lock': lockNameBytesMax,
    label: constant('src/locks/holder-title.ts', 'LABEL_LENGTH_MAX'),
    'one message to a node': frameBytesMax,
    'metadata of a call': constant('src/service/admission.ts', 'METADATA_BYTES_MAX'),
    'calls for reflection': 5,
    'a connection without a call': connectionIdleMs / 1_000,
    'a TLS handshake': handshakeMs / 1_000,
  });
});
