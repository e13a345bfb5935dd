/**
 * How long the others wait when the holder's process dies by `kill -9`. All services are asked at the same time: nobody does anything
 * but wait, so none disturbs another.
 */
import { SUBJECTS } from '../results/results';
import type { Recovery, SubjectId } from '../results/results';
import { pause } from './clients/lock-client';
import { guarded } from './guarded';
import { startNodes } from './servers/maekawa';
import type { Service } from './servers/service';
import { sharedNowMs } from './shared-clock';
import { CLIENT_SUBJECTS, DEFAULT_LEASE_MS, specOf } from './subjects';
import { portsOf } from './throughput';
import type { Setting } from './throughput';
import { Worker } from './workers';

const SHORT_LEASE_MS = 2_000;
/** Until the waiter has surely asked. */
const SETTLE_MS = 500;
/** Redlock and the pipelined one are the same here, whatever their number. */
const LEFT_OUT: readonly SubjectId[] = ['redlock-1', 'redlock-5', 'pipelined-1', 'pipelined-5'];

interface Case {
  readonly subject: SubjectId;
  readonly lease: Recovery['lease'];
  /** Null: nothing but the end of the connection ends the lock. */
  readonly leaseMs: number | null;
}

/** Repeats of the long leases are fewer: they say the same, and would take most of the run. */
export async function measureRecovery(others: ReadonlyMap<string, Service>, hasNodes: boolean, setting: Setting): Promise<Recovery[]> {
  const { repeats, print } = setting;
  const found: Recovery[] = [];
  for (const lease of ['short', 'default'] as const) {
    const times = lease === 'short' ? repeats : Math.min(repeats, 2);
    const cases = casesOf(lease, others, hasNodes);
    print(`recovery from kill -9, ${lease === 'short' ? '2 s' : 'default'} leases: ${times} times`);
    const measured = cases.map(() => [] as number[]);
    for (let repeat = 0; repeat < times; repeat++) {
      await Promise.all(cases.map(async (each, index) => {
        const ms = await guarded(`${SUBJECTS[each.subject].title}, recovery`, setting, () => recover(each, others, `recovery-${lease}-${repeat}`));
        if (ms !== null) measured[index]?.push(ms);
      }));
    }
    cases.forEach(({ subject, leaseMs }, index) => {
      const ms = measured[index] ?? [];
      if (ms.length > 0) found.push({ subject, lease, leaseMs, ms });
    });
  }
  return found;
}

function casesOf(lease: Recovery['lease'], others: ReadonlyMap<string, Service>, hasNodes: boolean): Case[] {
  // What a client keeps is lost with it as what it uses is.
  const subjects: readonly SubjectId[] = ['node-retained', ...CLIENT_SUBJECTS.filter((each) => each !== 'connect-keep')];
  return subjects.flatMap((subject): Case[] => {
    const { service } = SUBJECTS[subject];
    if (LEFT_OUT.includes(subject) || (service === 'maekawa' ? !hasNodes : !others.has(service))) return [];
    const byDefault = DEFAULT_LEASE_MS[subject];
    if (lease === 'default') return byDefault === undefined || byDefault.leaseMs === null ? [] : [{ subject, lease, leaseMs: byDefault.leaseMs }];
    return [{ subject, lease, leaseMs: byDefault?.leaseMs === null ? null : SHORT_LEASE_MS }];
  });
}

/** Milliseconds from the death of the holder until the one that waits is inside. */
async function recover({ subject, leaseMs }: Case, others: ReadonlyMap<string, Service>, name: string): Promise<number> {
  const isNode = subject === 'node-retained';
  // A lease is one of the cluster: nodes of their own for each.
  const nodes = SUBJECTS[subject].service === 'maekawa' ? await startNodes(leaseMs ?? SHORT_LEASE_MS, true) : null;
  const ports = portsOf({ retained: nodes ?? undefined, others });
  const clients = isNode ? [] : [new Worker(), new Worker()];
  const [holder, waiter] = isNode ? (nodes?.workers ?? []) : clients;
  if (holder === undefined || waiter === undefined) throw new Error('there is nobody to hold and to wait');
  try {
    await Promise.all(clients.map((worker, at) => {
      const spec = specOf(subject, ports, leaseMs ?? 0, at);
      if (spec === null) throw new Error('its service does not run');
      return worker.ask({ kind: 'open', spec });
    }));
    await holder.ask({ kind: 'hold', prefix: name, count: 1, callers: 1 });
    const entered = waiter.numbers({ kind: 'enter', name: `${name}0` });
    entered.catch(() => undefined); // It is awaited below.
    await pause(SETTLE_MS);
    const diedAtMs = sharedNowMs();
    await holder.kill();
    const [enteredAtMs = NaN] = await entered;
    return enteredAtMs - diedAtMs;
  } finally {
    await Promise.all([...clients.map((worker) => worker.kill()), nodes?.stop()]);
  }
}
