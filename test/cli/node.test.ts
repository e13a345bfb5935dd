import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cluster } from '../../src/cli/demo/cluster';
import type { WorkloadLine } from '../../src/cli/workload';
import { Program, prepareCluster, startCluster, until } from '../support/processes';

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly reason?: string;
  readonly peer?: string;
}

function logOf(cluster: Cluster, id: string): LogLine[] {
  return cluster.outputOf(id).split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as LogLine];
    } catch {
      return []; // the beginning was cut off, or it is not complete yet
    }
  });
}

describe('maekawa node: what is wrong is said in one line, with an exit code of its own', () => {
  let directory: string;
  let config: string;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'maekawa-test-'));
    config = join(directory, 'quorums.json');
    const nodes = ['n1', 'n2', 'n3'].map((id) => ({ id, address: '127.0.0.1:0' }));
    writeFileSync(config, JSON.stringify({ nodes: nodes.map((node, i) => ({ ...node, address: `127.0.0.1:${39_801 + i}` })), quorums: { family: 'majority' } }));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  function node(...args: string[]): Program {
    return new Program(['node', '--config', config, '--data-dir', join(directory, 'data'), ...args]);
  }

  async function fails(program: Program, code: number, message: RegExp): Promise<void> {
    expect(await program.ended).toBe(code);
    expect(program.errors).toMatch(message);
    expect(program.errors).not.toMatch(/^\s+at /m); // no stack trace
  }

  test('an id that the configuration does not have', () =>
    fails(node('--id', 'n7'), 64, /^maekawa: there is no node "n7" in the configuration; it names n1, n2, n3\n$/));

  test('no id', () => fails(node(), 64, /required option '--id <id>' not specified/));

  test('a configuration that is not there', () =>
    fails(new Program(['node', '--id', 'n1', '--config', join(directory, 'none.json')]), 64, /cannot read .*none.json: there is no such file. Make one with `maekawa quorums init`/));

  test('an address of a peer that the configuration does not have', () =>
    fails(node('--id', 'n1', '--peer', 'n9=127.0.0.1:1'), 64, /an address was given for "n9", but the configuration has no such node/));

  test('a port that is in use', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    try {
      await fails(node('--id', 'n1', '--listen', `127.0.0.1:${port}`), 69, /the port is in use; stop the process that uses it, or choose another with --listen/);
    } finally {
      server.close();
    }
  });

  test('listening beyond this machine without TLS', () =>
    fails(node('--id', 'n1', '--listen', '0.0.0.0:0'), 64, /without TLS lets anybody.*--insecure/));

  test('a lock with a reserved name', () =>
    fails(node('--id', 'n1', '--lock=-x'), 64, /^maekawa: the lock name "-x" starts with "-", which is reserved\n$/));
  test('some but not all TLS files', () => fails(node('--id', 'n1', '--tls-cert', 'x.pem'), 64, /TLS needs three files: give --tls-cert, --tls-key and --tls-ca, or none of them/));

  test('a data directory that another process uses; after a kill -9 it is free', async () => {
    const first = node('--id', 'n1', '--listen', '127.0.0.1:0');
    await first.prints(/listens on/);
    await fails(node('--id', 'n1', '--listen', '127.0.0.1:0'), 73, /is in use by process \d+/);
    first.signal('SIGKILL');
    await first.ended;
    const next = node('--id', 'n1', '--listen', '127.0.0.1:0');
    await next.prints(/it lends its vote in \d+ ms/);
    next.signal('SIGTERM');
    expect(await next.ended).toBe(0);
  });

  test('other nodes or quorums than it last ran with; and --first-start of a configuration that took the place of another', async () => {
    const [data, one, changed] = [join(directory, 'layouts'), join(directory, 'one.json'), join(directory, 'changed.json')];
    const file = { nodes: [{ id: 'n1', address: '127.0.0.1:39801' }], quorums: { family: 'majority' } };
    writeFileSync(one, JSON.stringify(file));
    writeFileSync(changed, JSON.stringify({ ...file, change: { from: '0123456789abcdef', silentMs: 5_000, clock: 1 } }));
    const args = ['--id', 'n1', '--listen', '127.0.0.1:0', '--data-dir', data];
    const first = node('--config', one, ...args, '--first-start');
    await first.prints(/lends its vote from now on/);
    first.signal('SIGTERM');
    await first.ended;
    await fails(node(...args), 64, /^maekawa: node n1 last lent its vote under layout [0-9a-f]{16}, and the configuration is layout [0-9a-f]{16}.*`maekawa quorums change OLD\.json NEW\.json`\n$/);
    await fails(node('--config', changed, ...args, '--ephemeral', '--first-start'), 64, /^maekawa: --first-start says that no node of this cluster ever ran/);
  });

  test('a node goes on when nobody reads its log any more, and ends when it cannot write its work down', async () => {
    const [alone, place] = [join(directory, 'alone.json'), join(directory, 'work')];
    const work = join(place, 'lines');
    mkdirSync(place);
    writeFileSync(alone, JSON.stringify({ nodes: [{ id: 'n1', address: '127.0.0.1:39801' }], quorums: { family: 'majority' } }));
    const lines = (): number => readFileSync(work, 'utf8').split('\n').length;
    const working = node('--config', alone, '--id', 'n1', '--listen', '127.0.0.1:0', '--ephemeral', '--first-start', '--lock', 'a', '--every', '1ms', '--work', '1ms', '--file', work);
    await working.prints(/"msg":"left/);
    working.child.stdout?.destroy();
    const linesBefore = lines();
    await until(() => lines() > linesBefore + 20, 'the node to go on');
    rmSync(place, { recursive: true });
    expect(await working.ended).toBe(64);
  });

  test('a corrupt ceiling is never taken for none', async () => {
    const data = join(directory, 'corrupt');
    const first = node('--id', 'n1', '--listen', '127.0.0.1:0', '--data-dir', data);
    await first.prints(/listens on/);
    first.signal('SIGTERM');
    await first.ended;
    const text = readFileSync(join(data, 'ceiling'), 'utf8');
    writeFileSync(join(data, 'ceiling'), text.replace(/ \d/, (start) => (start === ' 1' ? ' 2' : ' 1')));
    await fails(node('--id', 'n1', '--listen', '127.0.0.1:0', '--data-dir', data), 73, /ceiling is corrupt.*delete the file/);
  });
});

describe('maekawa node: three nodes', () => {
  let cluster: Cluster;

  afterEach(() => cluster.remove());

  test('at --log-level debug the log shows the messages of an entry with their Lamport times', async () => {
    cluster = await startCluster({ nodeArguments: ['--log-level', 'debug', '--no-retain'] });
    expect(await new Program(['lock', '--config', cluster.configFile, '--node', 'n1', 'seen', '--', 'true']).ended).toBe(0);
    const log = cluster.outputOf('n1');
    for (const pattern of [/"lamport":\d+.*"msg":"Request → n\d"/, /"lamport":\d+.*"msg":"Grant ← n\d"/, /"msg":"Release → n\d"/]) {
      expect(log).toMatch(pattern);
    }
  });

  test('a node with another layout is refused; both sides name both values', async () => {
    cluster = await prepareCluster();
    for (const id of ['n1', 'n2']) cluster.start(id, '--first-start');
    const file = JSON.parse(readFileSync(cluster.configFile, 'utf8')) as { leaseMs: number };
    const changed = join(cluster.directory, 'changed.json');
    writeFileSync(changed, JSON.stringify({ ...file, leaseMs: file.leaseMs + 500 }));
    cluster.start('n3', '--first-start', '--config', changed);
    const isRefused = (id: string): boolean => logOf(cluster, id).some(({ reason = '' }) => /configuration differs: n\d has digest \w+, n\d has \w+/.test(reason));
    await until(() => isRefused('n3') && (isRefused('n1') || isRefused('n2')), `the refusals, in ${cluster.outputOf('n3')}`);
    expect(await new Program(['lock', '--config', cluster.configFile, '--node', 'n1', '--wait', '5s', 'x', '--', 'true']).ended).toBe(0);
  });

  test('a holder that is killed is followed, by a larger token', async () => {
    cluster = await prepareCluster({ leaseMs: 1_000, nodeArguments: ['--lock', 'work', '--every', '100ms', '--work', '100ms'] });
    const file = join(cluster.directory, 'shared.log');
    writeFileSync(file, '');
    const lines = (): WorkloadLine[] => readFileSync(file, 'utf8').split('\n').filter((line) => line.endsWith('}')).map((line) => JSON.parse(line) as WorkloadLine);
    for (const id of ['n1', 'n2', 'n3']) cluster.start(id, '--first-start', '--file', file);
    const holder = await until(() => lines().length > 10 && lines().at(-1)?.event === 'enter' && lines().at(-1), 'a holder');
    cluster.signal(holder.node, 'SIGKILL');
    await cluster.exited(holder.node);
    await until(() => lines().find((line) => line.event === 'enter' && line.token > holder.token && line.node !== holder.node), 'a successor');
    const entered = lines().filter((line) => line.event === 'enter').map((line) => line.token);
    expect(entered).toEqual([...entered].sort((a, b) => a - b));
  });

  test('SIGTERM gives the locks back at once and ends the node with 0, well before the lease', async () => {
    cluster = await startCluster({ leaseMs: 60_000 });
    const holder = new Program(['lock', '--config', cluster.configFile, '--node', 'n1', 'given-back', '--', 'sleep', '1000']);
    await until(async () => (await cluster.status('n1'))?.locks.some((lock) => lock.callers?.state === 'STATE_HELD'), 'n1 to hold');
    const askedAtMs = performance.now();
    cluster.signal('n1', 'SIGTERM');
    expect(await cluster.exited('n1')).toBe(0);
    expect(performance.now() - askedAtMs).toBeLessThan(30_000); // the issue is a lease of a minute, not speed
    expect(await holder.ended).toBe(123);
    expect(await new Program(['lock', '--config', cluster.configFile, '--node', 'n2', 'given-back', '--wait', '10s', '--', 'true']).ended).toBe(0);
  });

  test('SIGHUP does not stop a node, and the log says what would', async () => {
    cluster = await startCluster();
    cluster.signal('n1', 'SIGHUP');
    await until(() => logOf(cluster, 'n1').some(({ msg }) => msg.startsWith('SIGHUP: nothing to do, for a node reads its configuration only when it starts')), 'its answer');
    expect(await new Program(['lock', '--config', cluster.configFile, '--node', 'n1', '--wait', '5s', 'x', '--', 'true']).ended).toBe(0);
  });

  test('--grace: after SIGTERM what is held goes on to its end, and then the node ends with 0; a second SIGTERM ends the grace', async () => {
    cluster = await startCluster({ nodeArguments: ['--grace', '100s'] });
    const holder = (id: string): Program => new Program(['lock', '--config', cluster.configFile, '--node', id, `work-${id}`, '--', 'sh', '-c', 'echo inside; read line']);
    const [first, second] = [holder('n1'), holder('n2')];
    await first.prints(/inside/);
    await second.prints(/inside/);
    const waits = async (id: string): Promise<unknown> => until(() => logOf(cluster, id).find(({ msg }) => msg.startsWith('takes no new request, and waits up to 100 s for what is held: "work-')), 'it to say what it waits for');

    cluster.signal('n1', 'SIGTERM');
    await waits('n1');
    // n3 cannot have a quorum without one of the two that stop.
    cluster.signal('n2', 'SIGTERM');
    await waits('n2');
    expect(await new Program(['lock', '--config', cluster.configFile, '--wait', '10s', 'another', '--', 'true']).ended).toBe(0);
    first.child.stdin?.end();
    expect(await first.ended).toBe(1); // as `read` at the end of its input
    expect(await cluster.exited('n1')).toBe(0);
    expect(cluster.outputOf('n1')).not.toMatch(/the grace is over/);

    cluster.signal('n2', 'SIGTERM');
    expect(await second.ended).toBe(123);
    expect(await cluster.exited('n2')).toBe(0);
    expect(cluster.outputOf('n2')).toMatch(/the grace is over, and locks are still held; their holders are told to stop: .*work-n2/);
  });

  test('a frozen peer is noticed, and the others go on', async () => {
    cluster = await startCluster();
    cluster.signal('n3', 'SIGSTOP');
    await until(async () => (await cluster.status('n1'))?.peers.some((peer) => peer.node === 'n3' && !peer.up), 'n1 to notice');
    expect(await new Program(['lock', '--config', cluster.configFile, '--node', 'n1', '--wait', '5s', 'x', '--', 'true']).ended).toBe(0);
  });
});
