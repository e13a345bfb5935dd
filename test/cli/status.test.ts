import type { Cluster } from '../../src/cli/demo/cluster';
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
    expect(program.output).toMatch(/^cluster test: 3 of 3 nodes are up; they contain a quorum$/m);
    expect(program.output).toMatch(/^invoices +n2 +held +\d+ +1 +0 +\d+ (ms|s)$/m);
    holder.signal('SIGTERM');
    await holder.ended;
  });

  test('--json gives the same to programs', async () => {
    const program = status('--json');
    expect(await program.ended).toBe(0);
    const answer = JSON.parse(program.output) as { nodes: { id: string; up: boolean; sent: Record<string, number> }[] };
    expect(answer.nodes.map(({ id, up }) => [id, up])).toEqual([['n1', true], ['n2', true], ['n3', true]]);
    expect(Object.keys(answer.nodes[0]?.sent ?? {}).sort()).toEqual(['grant', 'inquire', 'release', 'request', 'yield']);
  });

  test('says which nodes are down; without a quorum the exit code is 121', async () => {
    for (const id of ['n1', 'n3']) {
      cluster.signal(id, 'SIGKILL');
      await cluster.exited(id);
    }
    const program = status();
    expect(await program.ended).toBe(121);
    expect(program.output).toMatch(/1 of 3 nodes are up; they contain NO quorum/);
    expect(program.output).toMatch(/^n1 +down +does not answer$/m);
  });
});
