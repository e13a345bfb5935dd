/** Three members of ZooKeeper on loopback, as shipped but for the tick: with one of half a second a session may last a second and more. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { freePorts } from '../../../src/cli/demo/cluster';
import { outputOf } from './programs';
import { spawned, temporaryFolder, until } from './spawned';
import type { Found, Service } from './service';

const MEMBERS = 3;
const TICK_MS = 500;
/** Where Debian keeps it. */
const DEBIAN_JAR = '/usr/share/java/zookeeper.jar';

/** The package of Debian, or a distribution that `ZOOKEEPER_HOME` names. */
export function findZooKeeper(): Found | null {
  const classPath = classPathOf(process.env['ZOOKEEPER_HOME']);
  if (classPath === null || outputOf('java', ['-version']) === null) return null;
  const text = outputOf('java', ['-cp', classPath, 'org.apache.zookeeper.version.VersionInfoMain']) ?? '';
  const version = `ZooKeeper ${/version (\d[\d.]*)/.exec(text)?.[1] ?? 'of an unknown version'}`;
  return { version, start: () => startZooKeeper(version, classPath) };
}

function classPathOf(home: string | undefined): string | null {
  if (home !== undefined && existsSync(join(home, 'lib'))) return readdirSync(join(home, 'lib')).filter((name) => name.endsWith('.jar')).map((name) => join(home, 'lib', name)).join(':');
  return existsSync(DEBIAN_JAR) ? DEBIAN_JAR : null;
}

async function startZooKeeper(version: string, classPath: string): Promise<Service> {
  const all = await freePorts(3 * MEMBERS);
  const ports = all.slice(0, MEMBERS);
  const members = ports.map((_, index) => `server.${index + 1}=127.0.0.1:${all[MEMBERS + index] ?? 0}:${all[2 * MEMBERS + index] ?? 0}`);
  const servers = ports.map((port, index) => {
    const cwd = join(temporaryFolder(), `zookeeper-${port}`);
    mkdirSync(join(cwd, 'data'), { recursive: true });
    writeFileSync(join(cwd, 'data/myid'), `${index + 1}\n`);
    writeFileSync(join(cwd, 'zoo.cfg'), [
      `tickTime=${TICK_MS}`, 'initLimit=20', 'syncLimit=10', `dataDir=${join(cwd, 'data')}`, `clientPort=${port}`, 'clientPortAddress=127.0.0.1',
      'maxSessionTimeout=60000', 'maxClientCnxns=0', 'admin.enableServer=false', '4lw.commands.whitelist=srvr', ...members, '',
    ].join('\n'));
    return spawned('java', ['-cp', classPath, '-Dzookeeper.log.threshold=WARN', 'org.apache.zookeeper.server.quorum.QuorumPeerMain', join(cwd, 'zoo.cfg')], { cwd });
  });
  await Promise.all(servers.map((server, index) => until(() => serves(ports[index] ?? 0), server.check, `ZooKeeper to serve on port ${ports[index] ?? 0}`)));
  return { version, ports, pids: () => servers.map(({ pid }) => pid), stop: async () => void (await Promise.all(servers.map((server) => server.end()))) };
}

/** It listens before it serves, so it is asked. */
function serves(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('srvr'));
    socket.on('data', (chunk) => (answer += chunk.toString()));
    socket.once('close', () => resolve(/^Mode: (?:leader|follower)/m.test(answer)));
    socket.once('error', () => resolve(false));
  });
}
