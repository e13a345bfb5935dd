/** Which clients are measured against which services. */
import { SUBJECTS } from '../results/results';
import type { ServiceId, SubjectId } from '../results/results';
import { CLUSTER } from './servers/maekawa';
import type { ClientSpec } from './clients/lock-client';

/** The ports of the members of each service that runs. */
export type Ports = Readonly<Partial<Record<ServiceId, readonly number[]>>>;

/** Those that are a client of a service, in the order in which they are shown. */
export const CLIENT_SUBJECTS = (Object.keys(SUBJECTS) as SubjectId[]).filter((subject) => subject !== 'bare-stream' && !subject.startsWith('node-'));

/**
 * How a client finds its service; null when that does not run.
 * @param at which member it asks first, where that is of importance
 */
export function specOf(subject: SubjectId, ports: Ports, leaseMs: number, at: number): ClientSpec | null {
  const { service } = SUBJECTS[subject];
  const all = ports[service];
  if (all === undefined) return null;
  const fromHere = [...all.slice(at), ...all.slice(0, at)];
  switch (subject) {
    case 'connect':
    case 'connect-keep':
      return { kind: 'connect', addresses: fromHere.map((port) => `127.0.0.1:${port}`), cluster: CLUSTER, keep: subject === 'connect-keep' };
    case 'redis':
      return { kind: 'redis', ports: all, leaseMs };
    case 'redlock-1':
    case 'redlock-3':
    case 'redlock-5':
      return { kind: 'redlock', ports: all.slice(0, Number(subject.at(-1))), leaseMs };
    case 'pipelined-1':
    case 'pipelined-3':
    case 'pipelined-5':
      return { kind: 'redlock-pipelined', ports: all.slice(0, Number(subject.at(-1))), leaseMs };
    case 'etcd3':
    case 'etcd-lock':
      return { kind: subject, ports: fromHere, leaseMs };
    case 'zookeeper':
      return { kind: 'zookeeper', ports: fromHere, leaseMs };
    case 'postgres':
      return { kind: 'postgres', ports: all };
    case 'node-cold':
    case 'node-retained':
    case 'bare-stream':
      return null;
  }
}

/** What a user gets who says nothing; null where nothing ends a lock but its connection. */
export const DEFAULT_LEASE_MS: Readonly<Partial<Record<SubjectId, { readonly leaseMs: number | null; readonly source: string }>>> = {
  'node-retained': { leaseMs: 5_000, source: '`leaseMs` of a configuration' },
  connect: { leaseMs: 5_000, source: '`leaseMs` of a configuration' },
  'etcd-lock': { leaseMs: 10_000, source: '`--ttl` of `etcdctl lock`' },
  etcd3: { leaseMs: 30_000, source: 'the package' },
  zookeeper: { leaseMs: 30_000, source: '`sessionTimeout` of the package' },
  postgres: { leaseMs: null, source: 'the connection ends with the process' },
};
