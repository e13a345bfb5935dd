/**
 * How often a lock is taken and given back, and what that costs. Everybody takes a turn in each round, so that all of them meet the
 * same machine; each process has warmed up before the first round.
 */
import { CONTENDED_WARM_UPS, SUBJECTS, WORKS } from '../results/results';
import type { ServiceId, SubjectId, Throughput, Work } from '../results/results';
import { cpuMsOf, machineBusyMs } from './proc';
import type { Nodes } from './servers/maekawa';
import type { Service } from './servers/service';
import { CLIENT_SUBJECTS, specOf } from './subjects';
import type { Ports } from './subjects';
import { Worker } from './workers';
import type { Loop } from './loops';

/** In how many processes callers run, at most. */
const PROCESSES = 3;

const LOOPS: Readonly<Record<Work, { readonly processes: number } & Omit<Loop, 'forMs'>>> = {
  'one-request': { processes: 1, callers: 1, sameName: false, awaitsRelease: true },
  'one-acquire': { processes: 1, callers: 1, sameName: false, awaitsRelease: false },
  names: { processes: 1, callers: 64, sameName: false, awaitsRelease: true },
  contended: { processes: PROCESSES, callers: 4, sameName: true, awaitsRelease: true },
};
const NAMES = LOOPS.names.callers;

/** Who takes turns: processes in which callers run, and the processes that serve them. */
interface Contestant {
  readonly subject: SubjectId;
  readonly callers: readonly Worker[];
  readonly servers: () => readonly number[];
}

export interface Setting {
  readonly forMs: number;
  readonly warmUpMs: number;
  readonly leadInMs: number;
  readonly repeats: number;
  readonly leaseMs: number;
  readonly print: (line: string) => void;
  readonly failures: string[];
}

export interface Services {
  readonly cold?: Nodes | undefined;
  readonly retained?: Nodes | undefined;
  readonly others: ReadonlyMap<ServiceId, Service>;
}

interface Measured {
  perSecond: number[];
  cpuMs: number[];
  perWaiter: number[];
}

export async function measureThroughput(services: Services, setting: Setting): Promise<{ throughput: Throughput[]; otherWorkCores: number[] }> {
  const { forMs, warmUpMs, leadInMs, repeats, print, failures } = setting;
  const contestants = [...nodesOf(services), ...(await clientsOf(services, setting))];
  const streams = services.retained === undefined ? null : await openStream();
  const found = new Map<string, Measured>();
  const failed = new Set<string>();
  const otherWorkCores: number[] = [];

  const take = async (contestant: Contestant, work: Work, ms: number, isCounted: boolean): Promise<void> => {
    const key = `${work} ${contestant.subject}`;
    if (failed.has(key)) return;
    try {
      if (!isCounted) return void (await turn(contestant, work, ms));
      // Since its last turn its connections have been idle: what V8 made of that has been thrown away.
      await turn(contestant, work, leadInMs);
      const { looped, cpuMs, otherCores } = await turn(contestant, work, ms);
      const entries = looped.flatMap((each) => each.entries);
      const cycles = looped.reduce((sum, each) => sum + each.cycles, 0);
      const measured = found.get(key) ?? { perSecond: [], cpuMs: [], perWaiter: entries.map(() => 0) };
      found.set(key, measured);
      measured.perSecond.push((entries.reduce((sum, each) => sum + each, 0) / ms) * 1000);
      measured.cpuMs.push(cpuMs / cycles);
      measured.perWaiter = measured.perWaiter.map((sum, index) => sum + (entries[index] ?? 0));
      otherWorkCores.push(otherCores);
    } catch (error) {
      failed.add(key);
      failures.push(`${SUBJECTS[contestant.subject].title}, ${WORKS[work]}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  for (const work of Object.keys(WORKS) as Work[]) {
    const all = streams !== null && (work === 'one-request' || work === 'names') ? [streams, ...contestants] : contestants;
    for (let round = 0; round <= repeats; round++) {
      print(`${WORKS[work]}: ${round === 0 ? 'warm-up' : `round ${round} of ${repeats}`}`);
      const ms = round > 0 ? forMs : work === 'contended' ? CONTENDED_WARM_UPS * warmUpMs : warmUpMs;
      for (const contestant of all) await take(contestant, work, ms, round > 0);
    }
  }
  await Promise.all([...(streams?.callers ?? []), ...contestants.filter(({ subject }) => !subject.startsWith('node-')).flatMap(({ callers }) => callers)].map((worker) => worker.stop()));
  if (streams !== null) await streams.stop();

  const throughput = [...found].map(([key, { perSecond, cpuMs, perWaiter }]): Throughput => {
    const [work, subject] = key.split(' ') as [Work, SubjectId];
    return { work, subject, perSecond, cpuMs, ...(work === 'contended' ? { perWaiter } : {}) };
  });
  return { throughput, otherWorkCores };
}

async function turn({ subject, callers, servers }: Contestant, work: Work, forMs: number): Promise<{ looped: { entries: readonly number[]; cycles: number }[]; cpuMs: number; otherCores: number }> {
  const { processes, ...loop } = LOOPS[work];
  const at = callers.slice(0, processes);
  const pids = [...new Set([...at.map(({ pid }) => pid), ...servers()])];
  const before = { atMs: performance.now(), cpuMs: cpuMsOf(pids), machine: machineBusyMs(), ownMs: cpuMsOf([process.pid]) };
  const looped = await Promise.all(at.map((worker) =>
    worker.looped(subject === 'bare-stream' ? { kind: 'roundTrips', inFlight: work === 'names' ? NAMES : 1, forMs } : { kind: 'loop', loop: { ...loop, forMs } })));
  const elapsedMs = performance.now() - before.atMs;
  const machine = machineBusyMs();
  // Everything that the benchmark started descends from this process.
  const otherMs = machine.busyMs - before.machine.busyMs + machine.stolenMs - before.machine.stolenMs - (cpuMsOf([process.pid]) - before.ownMs);
  return { looped, cpuMs: cpuMsOf(pids) - before.cpuMs, otherCores: Math.max(0, otherMs / elapsedMs) };
}

function nodesOf({ cold, retained }: Services): Contestant[] {
  const contestants: readonly [SubjectId, Nodes | undefined][] = [['node-cold', cold], ['node-retained', retained]];
  return contestants.flatMap(([subject, nodes]) => (nodes === undefined ? [] : [{ subject, callers: nodes.workers, servers: nodes.pids }]));
}

export function portsOf({ retained, others }: { readonly retained?: Nodes | undefined; readonly others: ReadonlyMap<string, Service> }): Ports {
  return { ...(retained === undefined ? {} : { maekawa: retained.ports }), ...Object.fromEntries([...others].map(([id, { ports }]) => [id, ports])) };
}

async function clientsOf(services: Services, { leaseMs, failures }: Setting): Promise<Contestant[]> {
  const ports = portsOf(services);
  const contestants: Contestant[] = [];
  for (const subject of CLIENT_SUBJECTS) {
    const specs = Array.from({ length: PROCESSES }, (_, at) => specOf(subject, ports, leaseMs, at)).filter((spec) => spec !== null);
    if (specs.length === 0) continue;
    const { service } = SUBJECTS[subject];
    const server: Service | undefined = service === 'maekawa' ? services.retained : services.others.get(service);
    const callers = specs.map(() => new Worker());
    try {
      for (const [index, worker] of callers.entries()) {
        const spec = specs[index];
        if (spec !== undefined) await worker.ask({ kind: 'open', spec });
      }
      contestants.push({ subject, callers, servers: () => serversOf(subject, server?.pids() ?? []) });
    } catch (error) {
      failures.push(`${SUBJECTS[subject].title}: ${error instanceof Error ? error.message : String(error)}`);
      await Promise.all(callers.map((worker) => worker.kill()));
    }
  }
  return contestants;
}

/** Of the five Redis those that this one asks. */
export function serversOf(subject: SubjectId, pids: readonly number[]): readonly number[] {
  return SUBJECTS[subject].service === 'redis' ? pids.slice(0, Number(/\d$/.exec(subject)?.[0] ?? 1)) : pids;
}

async function openStream(): Promise<Contestant & { stop(): Promise<void> }> {
  const server = new Worker();
  const [port = 0] = await server.numbers({ kind: 'serveEcho' });
  const client = new Worker();
  await client.ask({ kind: 'openEcho', port });
  return { subject: 'bare-stream', callers: [client], servers: () => [server.pid], stop: () => server.stop() };
}
