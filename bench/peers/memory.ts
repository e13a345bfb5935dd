/** What a lock that is held costs in memory, in the servers and in the processes of the clients. */
import { SUBJECTS } from '../results/results';
import type { HeldMemory, SubjectId } from '../results/results';
import { memoryOf } from './proc';
import { pause } from './clients/lock-client';
import { guarded } from './guarded';
import { startNodes } from './servers/maekawa';
import type { Service } from './servers/service';
import { specOf } from './subjects';
import { serversOf } from './throughput';
import type { Setting } from './throughput';
import { Worker } from './workers';

const CONNECTIONS = 10;
const LEASE_MS = 30_000;
/** Until what was used on the way has been given back. */
const SETTLE_MS = 1_000;
/** How many are asked for at the same time over each connection. */
const AT_A_TIME = 64;

/** How many locks each holds. Fewer where it would take minutes. */
const LOCKS: Readonly<Partial<Record<SubjectId, number>>> = {
  connect: 100_000, redis: 100_000, 'redlock-3': 20_000, 'etcd-lock': 10_000, zookeeper: 10_000, postgres: 100_000,
};

export async function measureMemory(others: ReadonlyMap<string, Service>, hasNodes: boolean, share: number, setting: Setting): Promise<HeldMemory[]> {
  const { print } = setting;
  const found: HeldMemory[] = [];
  for (const [subject, most] of Object.entries(LOCKS) as [SubjectId, number][]) {
    const { service, title } = SUBJECTS[subject];
    if (service === 'maekawa' ? !hasNodes : !others.has(service)) continue;
    const locks = Math.round(most * share);
    print(`memory of ${locks} held locks: ${title}`);
    const one = await guarded(`${title}, memory`, setting, () => held(subject, locks, others));
    if (one !== null) found.push(one);
  }
  return found;
}

async function held(subject: SubjectId, locks: number, others: ReadonlyMap<string, Service>): Promise<HeldMemory> {
  const nodes = SUBJECTS[subject].service === 'maekawa' ? await startNodes(LEASE_MS, true) : null;
  const service = nodes ?? others.get(SUBJECTS[subject].service);
  if (service === undefined) throw new Error('its service does not run');
  const clients = Array.from({ length: CONNECTIONS }, () => new Worker());
  try {
    const spec = specOf(subject, { [SUBJECTS[subject].service]: service.ports }, LEASE_MS, 0);
    if (spec === null) throw new Error('its service does not run');
    await Promise.all(clients.map((worker) => worker.ask({ kind: 'open', spec })));
    const each = Math.ceil(locks / CONNECTIONS);
    // A connection of PostgreSQL does one thing at a time, and a lock of etcd belongs to its lease: one caller, so one of each.
    const callers = subject === 'postgres' ? 1 : AT_A_TIME;
    const hold = (prefix: string, count: number): Promise<unknown> =>
      Promise.all(clients.map((worker, index) => worker.ask({ kind: 'hold', prefix: `${prefix}-${index}-`, count, callers })));
    await hold('before', callers); // So that every connection is open.
    await Promise.all(clients.map((worker) => worker.ask({ kind: 'letGo' })));
    const servers = serversOf(subject, service.pids());
    const collect = async (): Promise<{ servers: number; home: number; clients: number }> => {
      await Promise.all([...clients, ...(nodes?.workers ?? [])].map((worker) => worker.ask({ kind: 'collectGarbage' })));
      await pause(SETTLE_MS);
      return { servers: memoryOf(servers), home: memoryOf(servers.slice(0, 1)), clients: memoryOf(clients.map(({ pid }) => pid)) };
    };
    const before = await collect();
    await hold('held', each);
    const after = await collect();
    const count = each * CONNECTIONS;
    return { subject, locks: count, connections: CONNECTIONS, serverBytes: (after.servers - before.servers) / count, ...(nodes === null ? {} : { homeBytes: (after.home - before.home) / count }), clientBytes: (after.clients - before.clients) / count };
  } finally {
    await Promise.all([...clients.map((worker) => worker.kill()), nodes?.stop()]);
  }
}
