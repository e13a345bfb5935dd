/** One PostgreSQL as shipped, on loopback, owned by a user without rights. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from '../../../src/cli/demo/cluster';
import { outputOf } from './programs';
import { spawned, temporaryFolder, until, untilListening } from './spawned';
import type { Found, Service } from './service';

/** Where Debian keeps the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';
const CONNECTIONS_MAX = 300;
/** Room for as many locks as the benchmark holds at once: so many for each connection that there may be. */
const LOCKS_PER_CONNECTION = 400;

/** The folder of its programs, or null when this machine has none. `POSTGRES_BIN` names another. */
export function postgresPrograms(): string | null {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, 'bin')) : [];
  const candidates = [process.env['POSTGRES_BIN'] ?? [], ...debian, ...(process.env['PATH'] ?? '').split(':')].flat();
  return candidates.find((folder) => ['initdb', 'postgres'].every((program) => existsSync(join(folder, program)))) ?? null;
}

/** PostgreSQL refuses to run as root: the user that shall own a folder of its, who owns it from now on. */
export function ownerForPostgres(directory: string): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (what: '-u' | '-g'): number => Number(spawnSync('id', [what, 'postgres'], { encoding: 'utf8' }).stdout.trim() || 65_534);
  const owner = { uid: id('-u'), gid: id('-g') };
  chownSync(directory, owner.uid, owner.gid);
  return owner;
}

export function findPostgres(): Found | null {
  const programs = postgresPrograms();
  if (programs === null) return null;
  const version = `PostgreSQL ${/\d[\d.]*/.exec(outputOf(join(programs, 'postgres'), ['--version']) ?? '')?.[0] ?? 'of an unknown version'}`;
  return { version, start: () => startPostgres(version, programs) };
}

async function startPostgres(version: string, programs: string): Promise<Service> {
  const [port = 0] = await freePorts(1);
  const cwd = join(temporaryFolder(), `postgres-${port}`);
  mkdirSync(cwd);
  chmodSync(temporaryFolder(), 0o711); // Its owner is another user, who has to get there.
  const owner = ownerForPostgres(cwd);
  execFileSync(join(programs, 'initdb'), ['-D', join(cwd, 'data'), '-U', 'bench', '-A', 'trust', '-E', 'UTF8', '--locale=C'], { ...owner, cwd, stdio: 'pipe' });
  const settings = ['listen_addresses=127.0.0.1', `port=${port}`, `unix_socket_directories=${cwd}`, `max_connections=${CONNECTIONS_MAX}`, `max_locks_per_transaction=${LOCKS_PER_CONNECTION}`];
  const server = spawned(join(programs, 'postgres'), ['-D', join(cwd, 'data'), ...settings.flatMap((each) => ['-c', each])], { ...owner, cwd });
  await untilListening(port, server);
  await until(() => Promise.resolve(outputOf(join(programs, 'pg_isready'), ['-h', '127.0.0.1', '-p', String(port)])?.includes('accepting') === true), server.check, 'PostgreSQL to start');
  return { version, ports: [port], pids: () => [server.pid], stop: () => server.end('SIGINT') };
}
