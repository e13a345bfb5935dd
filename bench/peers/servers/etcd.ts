/** Three members of etcd on loopback, as shipped: every write is on three disks before it is answered. */
import { join } from 'node:path';
import { freePorts } from '../../../src/cli/demo/cluster';
import { outputOf } from './programs';
import { spawned, temporaryFolder, until, untilListening } from './spawned';
import type { Found, Service } from './service';

const MEMBERS = 3;

export function findEtcd(): Found | null {
  const version = /etcd Version: (\S+)/.exec(outputOf('etcd', ['--version']) ?? '')?.[1];
  return version === undefined ? null : { version: `etcd ${version}`, start: () => startEtcd(`etcd ${version}`) };
}

async function startEtcd(version: string): Promise<Service> {
  const all = await freePorts(2 * MEMBERS);
  const ports = all.slice(0, MEMBERS);
  const peerUrl = (index: number): string => `http://127.0.0.1:${all[MEMBERS + index] ?? 0}`;
  const members = ports.map((_, index) => `m${index}=${peerUrl(index)}`).join(',');
  const servers = ports.map((port, index) => {
    const url = `http://127.0.0.1:${port}`;
    return spawned('etcd', [
      '--name', `m${index}`, '--data-dir', join(temporaryFolder(), `etcd-${port}`), '--initial-cluster', members, '--initial-cluster-state', 'new',
      '--listen-peer-urls', peerUrl(index), '--initial-advertise-peer-urls', peerUrl(index), '--listen-client-urls', url, '--advertise-client-urls', url,
    ], { cwd: temporaryFolder() });
  });
  await Promise.all(servers.map((server, index) => untilListening(ports[index] ?? 0, server)));
  const isHealthy = async (): Promise<boolean> => {
    const answers = await Promise.all(ports.map((port) => fetch(`http://127.0.0.1:${port}/health`).then((response) => response.ok, () => false)));
    return answers.every((each) => each);
  };
  await until(isHealthy, () => servers.forEach(({ check }) => check()), 'etcd to have a leader');
  return { version, ports, pids: () => servers.map(({ pid }) => pid), stop: async () => void (await Promise.all(servers.map((server) => server.end()))) };
}
