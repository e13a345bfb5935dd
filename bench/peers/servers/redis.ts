/** Five Redis that know nothing of each other, as Redlock wants them; the first one also serves alone. As shipped, but without snapshots. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../src/cli/demo/cluster';
import { outputOf } from './programs';
import { spawned, temporaryFolder, untilListening } from './spawned';
import type { Found, Service } from './service';

const COUNT = 5;

export function findRedis(): Found | null {
  const version = /v=(\S+)/.exec(outputOf('redis-server', ['--version']) ?? '')?.[1];
  return version === undefined ? null : { version: `Redis ${version}`, start: () => startRedis(`Redis ${version}`) };
}

async function startRedis(version: string): Promise<Service> {
  const ports = await freePorts(COUNT);
  const servers = ports.map((port) => {
    const cwd = join(temporaryFolder(), `redis-${port}`);
    mkdirSync(cwd);
    return spawned('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'], { cwd });
  });
  await Promise.all(servers.map((server, index) => untilListening(ports[index] ?? 0, server)));
  return { version, ports, pids: () => servers.map(({ pid }) => pid), stop: async () => void (await Promise.all(servers.map((server) => server.end()))) };
}
