/** What a start of the command loads, and the code that V8 made of it and that later starts use. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cacheFile } from '../../src/cli/code-cache';
import { PROGRAM, startCluster } from '../support/processes';

const BUNDLE = join(PROGRAM, '../../../bundle/maekawa.js');

let place: string;

beforeEach(() => {
  place = mkdtempSync(join(tmpdir(), 'maekawa-cache-'));
});
afterEach(() => rmSync(place, { recursive: true }));

describe('the file of a cache', () => {
  const file = (environment: NodeJS.ProcessEnv, subcommand?: string): string | null => cacheFile(environment, subcommand);

  test('lies where the environment says', () => {
    expect(file({ XDG_CACHE_HOME: '/c', HOME: '/h' }, 'lock')).toMatch(/^\/c\/maekawa\/lock-v[\d.]+-\w+$/);
    expect(file({ HOME: '/h' }, 'lock')).toMatch(/^\/h\/\.cache\/maekawa\/lock-/);
    expect(file({ XDG_CACHE_HOME: 'relative', HOME: '/h' })).toMatch(/^\/h\/\.cache\/maekawa\/maekawa-/);
  });
  test('is none without a home, and where Node.js is told to keep none', () => {
    expect([file({}), file({ HOME: '' }), file({ HOME: '/h', NODE_DISABLE_COMPILE_CACHE: '1' })]).toEqual([null, null, null]);
  });
  test('of a word that is no subcommand has no name of its own', () => {
    expect(file({ HOME: '/h' }, '../../etc')).toBe(file({ HOME: '/h' }));
  });
});

/** Runs the bundle with a look at which of its modules are loaded. */
function modulesOf(...args: readonly string[]): string[] {
  const source = readFileSync(BUNDLE, 'latin1');
  const load = /return mod\|\|\(0,cb\[(\w+)\(cb\)\[0\]\]\)/.exec(source);
  if (load === null) throw new Error('esbuild loads modules in another way than this test knows');
  const seen = source.replace(load[0], `return mod||(loaded.push(${load[1]}(cb)[0]),0,cb[${load[1]}(cb)[0]])`);
  const program = join(place, 'program.js');
  writeFileSync(join(place, 'bundle.js'), seen);
  writeFileSync(program, `
globalThis.loaded = [];
process.on('exit', () => require('fs').writeFileSync(${JSON.stringify(join(place, 'loaded'))}, loaded.join('\\n')));
require(${JSON.stringify(join(PROGRAM, '../code-cache.js'))}).loadCached(${JSON.stringify(join(place, 'bundle.js'))}, require).start();
`);
  const { status, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8', env: { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' } });
  expect([status, stderr]).toEqual([0, '']);
  return readFileSync(join(place, 'loaded'), 'utf8').split('\n');
}

describe('a start loads no more than the command needs', () => {
  const server = /service\/(?!limits)|src\/node\/|grpc-js\/build\/src\/server(-call)?\.js|runtime\/runtime|transport\/(server|codec|peer)/;

  test.each([[['--version']], [['--help']], [['lock', '--help']], [['quorums', 'init', '--nodes', '3', '--out', '-']]])('%j: nothing of gRPC', (args) => {
    const modules = modulesOf(...args);
    expect(modules).toContain('dist/src/cli/program.js');
    expect(modules.filter((each) => /@grpc|src\/client|src\/transport\/(?!descriptors)|src\/core/.test(each))).toEqual([]);
  });

  test('lock: nothing of a node, no server, no protobufjs', async () => {
    const cluster = await startCluster();
    try {
      const modules = modulesOf('lock', 'a', '--config', cluster.configFile, '--', 'true');
      expect(modules).toEqual(expect.arrayContaining(['dist/src/cli/supervise.js', 'dist/src/client/node-connection.js', 'node_modules/@grpc/grpc-js/build/src/transport.js']));
      expect(modules.filter((each) => server.test(each) || /protobufjs|proto-loader|src\/cli\/(demo\/cluster|node-console|man-page|workload|table)/.test(each))).toEqual([]);
    } finally {
      await cluster.remove();
    }
  });
});

describe('the code of an earlier start', () => {
  const start = (...args: readonly string[]): string => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: 'utf8', env: { ...process.env, XDG_CACHE_HOME: place, NODE_DISABLE_COMPILE_CACHE: undefined } });
    expect([status, stderr]).toEqual([0, '']);
    return stdout;
  };
  const directory = (): string => join(place, 'maekawa');
  const only = (): string => {
    const [name = '', ...others] = readdirSync(directory());
    expect(others).toEqual([]);
    return join(directory(), name);
  };
  /** It is written again only when it was not used. */
  const isUsed = (): boolean => {
    const { ino } = statSync(only());
    start('--version');
    return statSync(only()).ino === ino;
  };

  test('is kept for the next one, by the user alone', () => {
    start('--version');
    expect([statSync(directory()).mode & 0o777, statSync(only()).mode & 0o777]).toEqual([0o700, 0o600]);
    expect(isUsed()).toBe(true);
    start('quorums', '--help');
    expect(readdirSync(directory())).toHaveLength(2);
  });

  test('is kept by none that failed', () => {
    const { status } = spawnSync(process.execPath, [PROGRAM, 'lock'], { env: { ...process.env, XDG_CACHE_HOME: place } });
    expect([status, existsSync(directory())]).toEqual([64, false]);
  });

  let nameOfLink = '';

  test.each([
    ['is damaged', () => {
      const bytes = readFileSync(only());
      const at = bytes.length >> 1;
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(only(), bytes);
    }],
    ['is cut off', () => writeFileSync(only(), readFileSync(only()).subarray(0, 1_000))],
    ['is empty', () => writeFileSync(only(), '')],
    ['others may write', () => chmodSync(only(), 0o666)],
    ['is a link', () => {
      renameSync(only(), join(place, 'elsewhere'));
      symlinkSync(join(place, 'elsewhere'), join(directory(), 'x'));
      renameSync(join(directory(), 'x'), join(directory(), nameOfLink));
    }],
  ])('is not used when it %s', (_what, harm) => {
    start('--version');
    nameOfLink = only().slice(directory().length + 1);
    harm();
    expect(isUsed()).toBe(false);
    expect(isUsed()).toBe(true);
  });
  test('is not written where others may write, and the command works', () => {
    mkdirSync(directory());
    chmodSync(directory(), 0o777);
    expect(start('--version')).toMatch(/^\d/);
    expect(readdirSync(directory())).toEqual([]);
    rmSync(directory(), { recursive: true });
    writeFileSync(directory(), '');
    expect(start('--version')).toMatch(/^\d/);
  });

  test('is another one for another bundle', () => {
    start('--version');
    const file = only();
    const bytes = readFileSync(file);
    const program = join(place, 'other.js');
    const other = readFileSync(BUNDLE, 'latin1').replace(/^\/\/ ./, (text) => (text === '// 0' ? '// 1' : '// 0'));
    writeFileSync(join(place, 'bundle.js'), other);
    writeFileSync(program, `require(${JSON.stringify(join(PROGRAM, '../code-cache.js'))}).loadCached(${JSON.stringify(join(place, 'bundle.js'))}, require).start();`);
    expect(spawnSync(process.execPath, [program, '--version'], { env: { ...process.env, XDG_CACHE_HOME: place } }).status).toBe(0);
    expect(readFileSync(file).equals(bytes)).toBe(false);
  });
});
