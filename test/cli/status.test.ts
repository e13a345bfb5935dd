import type { Cluster } from '../../src/cli/demo/cluster';
import { VERSION } from '../../src/version';
import { Program, startCluster } from '../support/processes';

describe('maekawa status', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(() => cluster.remove());

  function status(...args: string[]): Program {
    return new Program(['status', '--config', cluster.configFile, ...args]);
  }

  test('shows each node, who holds what, and whether there is a quorum', async () => {
    const holder = new Program(['lock', '--config', cluster.configFile, '--node', 'n2', 'invoices']);
    await holder.prints(/\d+/);
    const program = status();
    expect(await program.ended).toBe(0);
    expect(program.output).toMatch(/^cluster test: 3 of 3 nodes are up, 3 of them ready; a lock can be had through each of them$/m);
    expect(program.output).toMatch(/^invoices +n2 +held +\d+ +1 +0 +\d+ (ms|s)$/m);
    holder.signal('SIGTERM');
    await holder.ended;
  });

  test('--json gives the same to programs', async () => {
    const program = status('--json');
    expect(await program.ended).toBe(0);
    const answer = JSON.parse(program.output) as { nodes: { id: string; up: boolean; sent: Record<string, number>; version: string; state: object; restsOnWallClocks: boolean }[] };
    expect(answer.nodes.map(({ id, up }) => [id, up])).toEqual([['n1', true], ['n2', true], ['n3', true]]);
    expect(answer.nodes[0]).toMatchObject({
      version: VERSION, restsOnWallClocks: false,
      state: { kind: 'ready', servesLocks: true, lendsVote: true, forMs: 0, text: 'a lock can be had here, and it lends its vote' },
    });
    expect(Object.keys(answer.nodes[0]?.sent ?? {}).sort()).toEqual(['grant', 'inquire', 'release', 'request', 'yield']);
  });

  test('--wait-ready waits for a node that restarts until it lends its vote again; in vain it ends with 124', async () => {
    cluster.signal('n3', 'SIGTERM');
    await cluster.exited('n3');
    const inVain = status('--wait-ready', '300ms', '--node', 'n3');
    expect(await inVain.ended).toBe(124);
    expect(inVain.output).toMatch(/^cluster test: 0 of 1 nodes are up, 0 of them ready; NO lock can be had$/m);

    const waits = status('--wait-ready', '60s');
    await waits.complains(/^waiting for n3 \(down: .+\)$/m);
    // A vote that it lent before may be on loan.
    cluster.start('n3');
    await waits.complains(/^waiting for n3 \(silent for \d+ m?s more\)$/m);
    expect(await waits.ended).toBe(0);
    expect(waits.output).toMatch(/^n3 +ready /m);
  });

  test('a wrong node id, and what excludes each other, is refused', async () => {
    const wrong = status('--node', 'n9');
    expect(await wrong.ended).toBe(64);
    expect(wrong.errors).toMatch(/has no node "n9"; give one of n1, n2, n3/);
    expect(await status('--watch', '--wait-ready', '1s').ended).toBe(64);
  });

  test('says which nodes are down; without a quorum the exit code is 121', async () => {
    for (const id of ['n1', 'n3']) {
      cluster.signal(id, 'SIGKILL');
      await cluster.exited(id);
    }
    const program = status();
    expect(await program.ended).toBe(121);
    expect(program.output).toMatch(/^cluster test: 1 of 3 nodes are up, 0 of them ready; NO lock can be had$/m);
    expect(program.output).toMatch(/^n1 +down +connection refused: nothing listens there$/m);
    expect(program.output).toMatch(/^n2 +no quorum /m);
    expect(program.output).toMatch(/^n2: no lock can be had here: the nodes that it reaches and that lend their votes contain no quorum\. Missing: n1 \(.+\), n3 \(.+\)$/m);
  });
});
