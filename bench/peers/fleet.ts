/** A fleet of clients: thousands that hold a lock each at one node, and a node that dies while many wait through it. */
import type { Fleet } from '../results/results';
import { cpuMsOf, memoryOf } from './proc';
import { pause } from './clients/lock-client';
import { guarded } from './guarded';
import { startNodes } from './servers/maekawa';
import { sharedNowMs } from './shared-clock';
import type { Setting } from './throughput';
import { Worker } from './workers';

const LEASE_MS = 5_000;
/** In so many processes, for a process may open some thousand connections only. */
const PROCESSES = 4;
const NEWCOMERS = 50;
const DEATHS_MAX = 3;

export async function measureFleet(share: number, setting: Setting): Promise<Fleet> {
  const crowd = await guarded('a crowd of clients', setting, () => measureCrowd(Math.round(5_000 * share), setting));
  const death = await guarded('a node that dies under its clients', setting, () => measureDeath(Math.round(1_000 * share), setting));
  return { ...(crowd === null ? {} : { crowd }), ...(death === null ? {} : { death }) };
}

async function measureCrowd(clients: number, { forMs, print }: Setting): Promise<NonNullable<Fleet['crowd']>> {
  print(`${clients} clients at one node, each holds a lock`);
  const nodes = await startNodes(LEASE_MS, true);
  const workers = Array.from({ length: PROCESSES }, () => new Worker());
  const newcomer = new Worker();
  try {
    const addresses = nodes.addresses.slice(0, 1);
    await Promise.all(workers.map((worker) => worker.ask({ kind: 'crowdHolds', addresses, count: Math.round(clients / PROCESSES) })));
    await pause(LEASE_MS); // Until they renew at times of their own.
    const node = nodes.pids().slice(0, 1);
    const before = { atMs: performance.now(), cpuMs: cpuMsOf(node) };
    await pause(Math.max(LEASE_MS, forMs));
    const nodeCores = (cpuMsOf(node) - before.cpuMs) / (performance.now() - before.atMs);
    const nodeBytes = memoryOf(node);
    const newcomerMs = await newcomer.numbers({ kind: 'newcomers', addresses, count: NEWCOMERS });
    return { clients, leaseMs: LEASE_MS, nodeCores, nodeBytes, newcomerMs };
  } finally {
    await Promise.all([...workers.map((worker) => worker.kill()), newcomer.kill()]);
    await nodes.stop();
  }
}

async function measureDeath(clients: number, { repeats, print }: Setting): Promise<NonNullable<Fleet['death']>> {
  const times = Math.min(repeats, DEATHS_MAX);
  print(`${clients} clients wait through one node, which dies: ${times} times`);
  const allServedMs: number[] = [];
  for (let time = 0; time < times; time++) allServedMs.push(await die(clients));
  return { clients, leaseMs: LEASE_MS, allServedMs };
}

/** Somebody holds the lock at another node, and gives it back in the moment in which the node of all who wait dies. */
async function die(clients: number): Promise<number> {
  const nodes = await startNodes(LEASE_MS, true);
  const workers = Array.from({ length: PROCESSES }, () => new Worker());
  try {
    const [doomed, holder] = nodes.workers;
    if (doomed === undefined || holder === undefined) throw new Error('there are no nodes');
    await holder.ask({ kind: 'hold', prefix: 'wanted', count: 1, callers: 1 });
    const served = workers.map((worker) => worker.numbers({ kind: 'crowdWaits', addresses: nodes.addresses, count: Math.round(clients / PROCESSES), name: 'wanted0' }));
    for (const each of served) each.catch(() => undefined); // They are awaited below.
    await pause(LEASE_MS); // All wait by then.
    const diedAtMs = sharedNowMs();
    await doomed.kill();
    await holder.ask({ kind: 'letGo' });
    return Math.max(...(await Promise.all(served)).flat()) - diedAtMs;
  } finally {
    await Promise.all(workers.map((worker) => worker.kill()));
    await nodes.stop();
  }
}
