/** What of the peers is on this machine, and the command that brings what is missing. */
import { spawnSync } from 'node:child_process';
import type { ServiceId } from '../results/results';
import { PACKAGES_AT, versionOfPackage } from './clients/package-of';
import { findEtcd } from './servers/etcd';
import { findPostgres } from './servers/postgres';
import { findRedis } from './servers/redis';
import type { Found } from './servers/service';
import { findZooKeeper } from './servers/zookeeper';

export type PeerId = Exclude<ServiceId, 'maekawa'>;

export interface Peer {
  readonly find: () => Found | null;
  readonly debian: string;
  /** Of the client libraries, by name. */
  readonly packages: readonly string[];
}

export const PEERS: Readonly<Record<PeerId, Peer>> = {
  redis: { find: findRedis, debian: 'redis-server', packages: ['ioredis', 'redlock'] },
  etcd: { find: findEtcd, debian: 'etcd-server', packages: ['etcd3'] },
  zookeeper: { find: findZooKeeper, debian: 'zookeeper', packages: ['node-zookeeper-client'] },
  postgres: { find: findPostgres, debian: 'postgresql', packages: [] },
};

export interface Finding {
  readonly server: Found | null;
  /** Of the client libraries, null for those that are missing. */
  readonly packages: Readonly<Record<string, string | null>>;
}

export function look({ find, packages }: Peer): Finding {
  return { server: find(), packages: Object.fromEntries(packages.map((name) => [name, versionOfPackage(name)])) };
}

export function isReady({ server, packages }: Finding): boolean {
  return server !== null && Object.values(packages).every((version) => version !== null);
}

/** The commands that bring what is missing, for a machine with apt-get. None when nothing is. */
export function commandsFor(findings: Readonly<Partial<Record<PeerId, Finding>>>, isRoot: boolean): string[] {
  const missing = (Object.entries(findings) as [PeerId, Finding][]).flatMap(([id, { server }]) => (server === null ? [PEERS[id].debian] : []));
  const lacksPackages = Object.values(findings).some(({ packages }) => Object.values(packages).includes(null));
  return [
    ...(missing.length > 0 ? [`${isRoot ? '' : 'sudo '}apt-get install --no-install-recommends ${missing.join(' ')}`] : []),
    ...(lacksPackages ? [`npm ci --prefix ${PACKAGES_AT}`] : []),
  ];
}

/**
 * Runs these commands, on the terminal of this process.
 * @throws Error when one fails, or in CI, where nothing is installed that a clean machine would not have
 */
export function install(commands: readonly string[], environment: NodeJS.ProcessEnv = process.env): void {
  if ((environment['CI'] ?? '') !== '' && environment['CI'] !== 'false') throw new Error('--install does nothing in CI');
  for (const command of commands) {
    const { status } = spawnSync(command.replace(' install ', ' install -y '), { shell: true, stdio: 'inherit', env: { ...environment, DEBIAN_FRONTEND: 'noninteractive' } });
    if (status !== 0) throw new Error(`this failed: ${command}`);
  }
}
