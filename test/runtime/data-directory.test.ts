import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync, chownSync, cpSync, existsSync, lchownSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { LockError } from '../../src/errors';
import { ephemeralDirectory, openDataDirectory } from '../../src/runtime/data-directory';
import type { DataDirectory } from '../../src/runtime/data-directory';
import { remedyFor } from '../../src/runtime/own-files';
import { Script, until } from '../support/processes';

/** A process that does as it is told, a line at a time: `open`, `count` (reserve 1, 2, 3, …), `close`. */
const PROCESS = `
  const { openDataDirectory } = require(${JSON.stringify(join(__dirname, '../../dist/src/runtime/data-directory.js'))});
  let directory;
  const orders = {
    open: async () => { directory = await openDataDirectory(process.argv[1], 'n1'); console.log('open ' + directory.ceiling); },
    count: async () => { for (let ceiling = 1; ; ceiling++) { await directory.reserve(ceiling); console.log('reserved ' + ceiling); } },
    close: async () => { await directory.close(); console.log('closed'); },
  };
  require('node:readline').createInterface({ input: process.stdin })
    .on('line', (order) => orders[order]().catch((error) => console.log(error.code + ' ' + error.message)))
    .on('close', () => process.exit());
`;

/** Whether a disk can be made here that is full. */
const FULL = process.geteuid?.() === 0 && spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;

class OtherProcess extends Script {
  constructor(path: string) {
    super(PROCESS, path);
    processes.push(this);
  }

  get lines(): readonly string[] {
    return this.output.split('\n').slice(0, -1);
  }

  /** The first line that it answers. */
  async told(order: string, withinMs?: number): Promise<string> {
    const seen = this.lines.length;
    this.child.stdin?.write(`${order}\n`);
    return until(() => this.lines[seen], () => `an answer to ${order}:\n${this.output}${this.errors}`, withinMs);
  }

  async killed(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }
}

function signed(content: string): string {
  return `${content} ${createHash('sha256').update(content).digest('hex').slice(0, 16)}\n`;
}

const processes: OtherProcess[] = [];
let path: string;
let opened: DataDirectory[] = [];

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'maekawa-data-'));
});
afterEach(async () => {
  for (const directory of opened) await directory.close();
  opened = [];
  for (const each of processes.splice(0)) await each.killed();
  rmSync(path, { recursive: true, force: true });
});

async function open(at = path): Promise<DataDirectory> {
  const directory = await openDataDirectory(at, 'n1');
  opened.push(directory);
  return directory;
}

async function reopened(): Promise<DataDirectory> {
  for (const directory of opened.splice(0)) await directory.close();
  return open();
}

async function failure(promise: Promise<unknown>): Promise<LockError> {
  const error: unknown = await promise.then(() => null, (reason: unknown) => reason);
  if (!(error instanceof LockError)) throw new Error(`expected a LockError, not ${String(error)}`);
  return error;
}

describe('data directory: keeps the ceiling (protocol.md section 3)', () => {
  test('a new directory is made, with ceiling 0 and no earlier life', async () => {
    const directory = await open(join(path, 'deep', 'new'));
    expect(directory).toMatchObject({ ceiling: 0, existed: false });
  });

  (process.platform === 'linux' ? test : test.skip)('one that cannot be made is an error: /proc refuses it as if its parent were missing', async () => {
    for (const impossible of ['/proc/foo', '/proc/foo/bar', join(process.execPath, 'foo')]) {
      const other = new OtherProcess(impossible); // which would be busy for ever
      expect(await other.told('open', 10_000)).toMatch(/^storage cannot make the data directory .*foo.*: E[A-Z]+: /);
    }
  });

  test('stays where it is when the process goes elsewhere', async () => {
    const before = process.cwd();
    process.chdir(path);
    const directory = await open('relative').finally(() => process.chdir(before));
    await directory.reserve(7);
    expect(readdirSync(join(path, 'relative')).sort()).toEqual(['ceiling', 'in-use-by']);
  });

  test('what was reserved is there in the next life', async () => {
    await (await open()).reserve(4_711);
    expect(await reopened()).toMatchObject({ ceiling: 4_711, existed: true });
  });

  test('a lower ceiling is never written over a higher one', async () => {
    const directory = await open();
    await Promise.all([directory.reserve(10), directory.reserve(2 ** 52), directory.reserve(11)]);
    expect(await reopened()).toMatchObject({ ceiling: 2 ** 52 });
  });

  test('and under which terms the node last lent its vote', async () => {
    const terms = { leaseMs: 20_000, slack: 2 ** 24, layout: '0123456789abcdef', act: 1_700_000_000_000_000 };
    const directory = await open();
    expect(directory.terms).toBeNull();
    await Promise.all([directory.remember({ ...terms, layout: null, act: null }), directory.reserve(7)]);
    expect(await reopened()).toMatchObject({ ceiling: 7, terms: { ...terms, layout: null, act: null } });
    await opened[0]?.remember(terms);
    expect(readFileSync(join(path, 'ceiling'), 'utf8')).toMatch(/^maekawa-ceiling-4 n1 7 20000 16777216 0123456789abcdef 1700000000000000 [0-9a-f]{16}\n$/);
    await opened[0]?.reserve(8);
    expect(await reopened()).toMatchObject({ ceiling: 8, existed: true, terms });
  });

  test('a file of version 1 is read: of the terms it says nothing', async () => {
    writeFileSync(join(path, 'ceiling'), 'maekawa-ceiling-1 4711 caad8fbb7530a89a\n');
    const directory = await open();
    expect(directory).toMatchObject({ ceiling: 4_711, existed: true, terms: null });
    await directory.reserve(4_712);
    expect(readFileSync(join(path, 'ceiling'), 'utf8')).toMatch(/^maekawa-ceiling-4 n1 4712 - - - - /);
  });

  test('a file of version 2 is read: whose it is it does not say', async () => {
    writeFileSync(join(path, 'ceiling'), signed('maekawa-ceiling-2 4711 5000 1 0123456789abcdef'));
    const directory = await open();
    expect(directory).toMatchObject({ ceiling: 4_711, existed: true, terms: { leaseMs: 5_000, slack: 1, layout: '0123456789abcdef', act: null } });
    await directory.reserve(4_712);
    expect(readFileSync(join(path, 'ceiling'), 'utf8')).toMatch(/^maekawa-ceiling-4 n1 4712 5000 1 0123456789abcdef - /);
  });

  test('a file of version 3 is read: of an act it says nothing', async () => {
    writeFileSync(join(path, 'ceiling'), signed('maekawa-ceiling-3 n1 4711 5000 1 0123456789abcdef'));
    expect(await open()).toMatchObject({ ceiling: 4_711, existed: true, terms: { leaseMs: 5_000, slack: 1, layout: '0123456789abcdef', act: null } });
    await opened.pop()?.close();
    expect(await failure(openDataDirectory(path, 'n2'))).toMatchObject({ message: expect.stringContaining('is that of node n1') as string });
  });

  test('of one node is refused to another', async () => {
    await (await open()).reserve(1);
    await opened.pop()?.close();
    const error = await failure(openDataDirectory(path, 'n2'));
    expect(error).toMatchObject({ code: 'storage', message: expect.stringMatching(/is that of node n1, and this is node n2\..*--data-dir/) as string });
    await open(); // it is as it was
  });

  test('people can read the file', async () => {
    await (await open()).reserve(4_711);
    expect(readFileSync(join(path, 'ceiling'), 'utf8')).toMatch(/^maekawa-ceiling-4 n1 4711 - - - - [0-9a-f]{16}\n$/);
  });

  test('a write that failed is an error, and the next one may succeed', async () => {
    const directory = await open();
    await directory.reserve(1);
    mkdirSync(join(path, 'ceiling.new')); // stands in for a disk that cannot be written
    expect(await failure(directory.reserve(2))).toMatchObject({ code: 'storage', message: expect.stringContaining(path) as string });
    rmSync(join(path, 'ceiling.new'), { recursive: true });
    await directory.reserve(2);
    expect(await reopened()).toMatchObject({ ceiling: 2 });
  });

  test('closes after the writes under way, and writes nothing more', async () => {
    const directory = await open();
    const reserving = directory.reserve(5);
    await directory.close();
    await reserving;
    expect(await failure(directory.reserve(6))).toMatchObject({ code: 'closed' });
    expect(await reopened()).toMatchObject({ ceiling: 5 });
  });

  test('an ephemeral directory keeps nothing', async () => {
    const directory = ephemeralDirectory();
    await directory.reserve(5);
    await directory.close();
    expect(directory).toMatchObject({ ceiling: 0, existed: false });
  });
});

describe('data directory: what cannot be trusted is an error, never a silent zero', () => {
  test.each([
    ['empty', ''],
    ['truncated', 'maekawa-ceiling-1 47'],
    ['without its end of line', 'maekawa-ceiling-1 4711 26f0ae4b2d7b5e7c'],
    ['of zeros, as some disks leave after a power cut', '\0'.repeat(40)],
    ['with a wrong checksum', 'maekawa-ceiling-1 4711 0000000000000000\n'],
    ['not a ceiling at all', 'hello\n'],
    ['of version 2 with the words of version 1', signed('maekawa-ceiling-2 4711')],
    ['of version 1 with the words of version 2', signed('maekawa-ceiling-1 4711 5000 1 0123456789abcdef')],
    ['with a lease that is none', signed('maekawa-ceiling-2 4711 5e3 1 0123456789abcdef')],
    ['with a layout that is none', signed('maekawa-ceiling-2 4711 5000 1 here')],
    ['of version 3 with the words of version 2', signed('maekawa-ceiling-3 4711 5000 1 0123456789abcdef')],
    ['of version 4 with the words of version 3', signed('maekawa-ceiling-4 n1 4711 5000 1 0123456789abcdef')],
    ['with an act that is none', signed('maekawa-ceiling-4 n1 4711 5000 1 0123456789abcdef then')],
    ['with an act and no terms', signed('maekawa-ceiling-4 n1 4711 - - - 17')],
    ['with a ceiling that no clock may reach', signed(`maekawa-ceiling-1 ${2 ** 53 - 2 ** 39 + 1}`)],
    ['with half of the terms', signed('maekawa-ceiling-2 4711 - 1 0123456789abcdef')],
  ])('a file that is %s: says what to do', async (_what, content) => {
    writeFileSync(join(path, 'ceiling'), content);
    const error = await failure(open());
    expect(error.code).toBe('storage');
    expect(error.message).toMatch(/ceiling is corrupt.*delete the file/s);
    expect(readFileSync(join(path, 'ceiling'), 'utf8')).toBe(content);
  });

  test('the ceiling of a clock that ran away as far as peers take part is read', async () => {
    writeFileSync(join(path, 'ceiling'), signed(`maekawa-ceiling-1 ${2 ** 53 - 2 ** 40 + 2 ** 24}`));
    expect(await open()).toMatchObject({ ceiling: 2 ** 53 - 2 ** 40 + 2 ** 24 });
  });

  test('any single digit changed is noticed', async () => {
    await (await open()).reserve(4_711);
    const good = readFileSync(join(path, 'ceiling'), 'utf8');
    await opened.pop()?.close();
    writeFileSync(join(path, 'ceiling'), good.replace('4711', '4710'));
    expect(await failure(open())).toMatchObject({ code: 'storage' });
  });

  test('a file of another version: says which', async () => {
    writeFileSync(join(path, 'ceiling'), 'maekawa-ceiling-5 4711 x\n');
    const error = await failure(open());
    expect(error).toMatchObject({ code: 'storage' });
    expect(error.message).toMatch(/maekawa-ceiling-5.*maekawa-ceiling-4/);
  });

  test('a refused directory is free again for the next try', async () => {
    writeFileSync(join(path, 'ceiling'), 'hello\n');
    await failure(open());
    rmSync(join(path, 'ceiling'));
    expect(await open()).toMatchObject({ ceiling: 0, existed: false });
  });

  test('a path that is no directory', async () => {
    writeFileSync(join(path, 'file'), '');
    expect(await failure(open(join(path, 'file')))).toMatchObject({ code: 'storage' });
    expect(await failure(open(join(path, 'file', 'below')))).toMatchObject({ code: 'storage' });
  });

  test('a crash between write and rename: the old ceiling counts, and the leftovers go', async () => {
    await (await open()).reserve(7);
    await opened.pop()?.close();
    writeFileSync(join(path, 'ceiling.new'), 'maekawa-ceiling-1 9');
    mkdirSync(join(path, 'in-use-by.left'));
    expect(await open()).toMatchObject({ ceiling: 7, existed: true });
    expect(readdirSync(path).sort()).toEqual(['ceiling', 'in-use-by']);
  });

  test('kill -9 amid writes: what was reported as reserved is on disk', async () => {
    const other = new OtherProcess(path);
    await other.told('open');
    other.child.stdin?.write('count\n');
    await until(() => other.lines.length > 50, 'ceilings');
    await other.killed();
    const reserved = Number(/\d+/.exec(other.lines.filter((line) => /^reserved \d+$/.test(line)).at(-1) ?? '')?.[0]);
    const { ceiling } = await open();
    expect(reserved).toBeGreaterThan(40);
    expect([reserved, reserved + 1]).toContain(ceiling);
  });
});

describe('data directory: one process at a time', () => {
  test('a second process is refused, and told which one has it', async () => {
    await open();
    const answer = await new OtherProcess(path).told('open');
    expect(answer).toMatch(new RegExp(`^storage .* in use by process ${process.pid} .*--data-dir`));
  });

  test('a second opening in the same process is refused too', async () => {
    await open();
    expect(await failure(open())).toMatchObject({ code: 'storage' });
  });

  test('closing gives it free', async () => {
    const other = new OtherProcess(path);
    await (await open()).close();
    expect(await other.told('open')).toBe('open 0');
    expect(await failure(open())).toMatchObject({ code: 'storage' });
    await other.told('close');
    await open();
  });

  test('a worker thread that was terminated does not keep it; one that runs does', async () => {
    const thread = new Worker(`
      const { parentPort, workerData } = require('node:worker_threads');
      require(workerData.module).openDataDirectory(workerData.path, 'n1').then(() => parentPort.postMessage('open'), (error) => parentPort.postMessage(error.message));
      setInterval(() => undefined, 1_000);
    `, { eval: true, workerData: { module: join(__dirname, '../../dist/src/runtime/data-directory.js'), path } });
    expect(await new Promise((resolve) => thread.once('message', resolve))).toBe('open');
    expect((await failure(open())).message).toMatch(new RegExp(`in use by process ${process.pid} `));
    await thread.terminate();
    await open();
  });

  test('a process killed with kill -9 does not keep it', async () => {
    const other = new OtherProcess(path);
    await other.told('open');
    await other.killed();
    await open();
  });

  test('a frozen process keeps it', async () => {
    const other = new OtherProcess(path);
    await other.told('open');
    other.child.kill('SIGSTOP');
    expect(await failure(open())).toMatchObject({ code: 'storage' });
  });

  test('a process id in use again by another process does not keep it', async () => {
    if (!existsSync('/proc/self/stat')) return; // elsewhere the heartbeat tells
    const other = new OtherProcess(path);
    await other.told('open');
    const [name = ''] = readdirSync(join(path, 'in-use-by'));
    const [, host, place, , nonce] = name.split('+');
    await other.killed();
    rmSync(join(path, 'in-use-by', name));
    // This very process has the id now, but it did not start then.
    writeFileSync(join(path, 'in-use-by', [`process-${process.pid}`, host, place, '1', nonce].join('+')), '');
    await open();
  });

  test('an owner that cannot be seen from here keeps it while its heart beats', async () => {
    const file = join(path, 'in-use-by', `process-1+elsewhere+another-place+77+nonce`);
    mkdirSync(join(path, 'in-use-by'));
    writeFileSync(file, '');
    const heartbeat = setInterval(() => writeFileSync(file, ''), 200);
    const error = await failure(open());
    clearInterval(heartbeat);
    expect(error.message).toMatch(/in use by process 1 on elsewhere/);
    await open(); // and no longer
  });

  test('an owner that was pushed aside while nobody could see it writes nothing more', async () => {
    const directory = await open();
    const [name = ''] = readdirSync(join(path, 'in-use-by'));
    rmSync(join(path, 'in-use-by', name));
    const error = await failure(directory.reserve(5));
    expect(error).toMatchObject({ code: 'storage' });
    expect(error.message).toMatch(/another process took the data directory .* while this one was frozen/);
    await until(() => directory.taken?.aborted, 'its heart to notice');
    expect(directory.taken?.reason).toMatchObject({ code: 'storage', message: expect.stringMatching(/another process took the data directory .* Stop one of the two/) as string });
    expect(existsSync(join(path, 'ceiling'))).toBe(false);
  });

  test('of many that start at once after a kill -9 exactly one gets in, again and again', async () => {
    let others = Array.from({ length: 4 }, () => new OtherProcess(path));
    for (let round = 0; round < 8; round++) {
      const answers = await Promise.all(others.map((other) => other.told('open')));
      const winners = others.filter((_, index) => answers[index]?.startsWith('open'));
      expect(answers.filter((answer) => !answer.startsWith('open')).join()).not.toMatch(/cannot/);
      expect(winners).toHaveLength(1);
      for (const winner of winners) await winner.killed();
      others = [...others.filter((other) => !winners.includes(other)), new OtherProcess(path)];
    }
  });
});

/** What another user of the machine may have prepared. */
describe('data directory: nothing but files of its own', () => {
  let victim: string;

  beforeEach(() => {
    victim = join(path, '..', `${path.split('/').at(-1)}-victim`);
    mkdirSync(victim);
    writeFileSync(join(victim, 'key'), 'precious');
  });
  afterEach(() => {
    expect(readdirSync(victim)).toEqual(['key']);
    expect(readFileSync(join(victim, 'key'), 'utf8')).toBe('precious');
    rmSync(victim, { recursive: true });
  });

  test.each([
    ['in-use-by', 'a link to a folder', () => symlinkSync(victim, join(path, 'in-use-by')), /in-use-by is a symbolic link, and a node follows none\. Look who put it there, and delete it/],
    ['in-use-by', 'a file', () => writeFileSync(join(path, 'in-use-by'), ''), /in-use-by is no directory/],
    ['in-use-by', 'a folder with a foreign file', () => cpSync(victim, join(path, 'in-use-by'), { recursive: true }), /in-use-by holds "key", which no node has put there/],
    ['nobody', 'a link', () => { mkdirSync(join(path, 'in-use-by')); symlinkSync(join(victim, 'key'), join(path, 'in-use-by', 'nobody')); }, /nobody is a symbolic link/],
    ['ceiling', 'a link', () => symlinkSync(join(victim, 'key'), join(path, 'ceiling')), /ceiling is a symbolic link/],
    ['ceiling', 'a link to itself', () => symlinkSync('ceiling', join(path, 'ceiling')), /ceiling is a symbolic link/],
    ['ceiling', 'a pipe that nobody writes to', () => execFileSync('mkfifo', [join(path, 'ceiling')]), /ceiling is no regular file/],
    ['ceiling', 'a folder', () => mkdirSync(join(path, 'ceiling')), /ceiling is no regular file/],
    ['ceiling', 'larger than any', () => writeFileSync(join(path, 'ceiling'), 'x'.repeat(1_000_000)), /ceiling is corrupt/],
  ])('%s is %s: an error', async (_name, _what, prepare, expected) => {
    prepare();
    const error = await failure(open());
    expect(error.code).toBe('storage');
    expect(error.message).toMatch(expected);
  });

  test.each([['before the start', true], ['while the node runs', false]])('ceiling.new is a link, made %s: it is replaced', async (_when, isBefore) => {
    const prepare = (): void => symlinkSync(join(victim, 'key'), join(path, 'ceiling.new'));
    if (isBefore) prepare();
    const directory = await open();
    if (!isBefore) prepare();
    await directory.reserve(7);
    expect(lstatSync(join(path, 'ceiling')).isFile()).toBe(true);
    expect(await reopened()).toMatchObject({ ceiling: 7 });
  });

  test('what the node makes is for its user alone', async () => {
    const directory = await open(join(path, 'made', 'deep'));
    await directory.reserve(1);
    for (const made of ['made', 'made/deep', 'made/deep/in-use-by', 'made/deep/ceiling']) expect([made, statSync(join(path, made)).mode & 0o077]).toEqual([made, 0]);
    const [owner = ''] = readdirSync(join(path, 'made/deep/in-use-by'));
    expect(statSync(join(path, 'made/deep/in-use-by', owner)).mode & 0o077).toBe(0);
    expect(directory.remarks).toEqual([]);
  });

  test('a directory that every user may write to is remarked upon', async () => {
    chmodSync(path, 0o777);
    expect((await open()).remarks).toEqual([expect.stringMatching(/^every user of this machine may write to the data directory .*chmod o-w/)]);
  });

  // A directory can be given away by root alone.
  (process.geteuid?.() === 0 ? test : test.skip).each(['it', 'a link to it', 'its in-use-by'])('%s belongs to another user: an error', async (what) => {
    const given = join(path, 'given');
    mkdirSync(given);
    const link = join(path, 'link');
    symlinkSync(given, link);
    if (what === 'its in-use-by') mkdirSync(join(given, 'in-use-by'));
    if (what === 'it') chownSync(given, 65_534, 65_534);
    else if (what === 'a link to it') lchownSync(link, 65_534, 65_534);
    else chownSync(join(given, 'in-use-by'), 65_534, 65_534);
    const error = await failure(open(what === 'a link to it' ? link : given));
    expect(error).toMatchObject({ code: 'storage', message: expect.stringMatching(/belongs to user 65534, and this process is user 0/) as string });
  });
});

describe('data directory: what to do about an error', () => {
  test.each([['ENOSPC', /^Free space/], ['EDQUOT', /^Free space/], ['EACCES', /permissions/], ['EPERM', /permissions/], ['ENOENT', /folder/], ['EROFS', /mount it for writing/], ['EIO', /^Check its disk/], ['EMFILE', /ulimit/], ['EWHATEVER', /^Mend it$/]])('%s', (code, expected) => {
    expect(remedyFor(Object.assign(new Error(code), { code }))).toMatch(expected);
  });

  (FULL ? test : test.skip)('a full disk', () => {
    const script = `require(${JSON.stringify(join(__dirname, '../../dist/src/runtime/data-directory.js'))}).openDataDirectory(process.argv[1], 'n1').catch((error) => console.log(error.code, error.message))`;
    // Seen by this command alone, and gone with it.
    const { stdout } = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tmpfs -o nr_inodes=2 none "$1" && "$2" -e "$3" "$1"', 'sh', path, process.execPath, script], { encoding: 'utf8' });
    expect(stdout).toMatch(/^storage cannot .*ENOSPC.*Free space on its disk, or choose another/);
    expect(stdout).not.toMatch(/permissions/);
  });
});
