/**
 * A PostgreSQL of the test's own: in a directory that is removed again, reached through a socket in it,
 * owned by a user without rights. Machines without PostgreSQL skip the tests that need one.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { until } from './processes';

/** Where Debian keeps the programs of each version. */
const DEBIAN = '/usr/lib/postgresql';

/** The folder of its programs, or null when this machine has none. `POSTGRES_BIN` names another. */
export function findPostgres(): string | null {
  const debian = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)).map((version) => join(DEBIAN, version, 'bin')) : [];
  const candidates = [process.env['POSTGRES_BIN'] ?? [], ...debian, ...(process.env['PATH'] ?? '').split(':')].flat();
  return candidates.find((folder) => ['initdb', 'postgres'].every((program) => existsSync(join(folder, program)))) ?? null;
}

export class PostgresServer {
  private constructor(
    private readonly directory: string,
    private readonly process: ChildProcess,
    private readonly ended: Promise<unknown>,
  ) {}

  static async start(programs: string): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'maekawa-postgres-'));
    const owner = ownerOf(directory);
    const data = join(directory, 'data');
    execFileSync(join(programs, 'initdb'), ['-D', data, '-U', 'test', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], { ...owner, cwd: directory, stdio: 'pipe' });
    const settings = ['listen_addresses=', `unix_socket_directories=${directory}`, 'fsync=off', 'max_connections=50'];
    const child = spawn(join(programs, 'postgres'), ['-D', data, ...settings.flatMap((each) => ['-c', each])], { ...owner, cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
    const server = new PostgresServer(directory, child, new Promise((resolve) => child.once('close', resolve)));
    await until(() => server.answers(), () => `PostgreSQL to start:\n${log}`);
    return server;
  }

  /** How to connect to it. */
  get connection(): { readonly host: string; readonly user: string; readonly database: string } {
    return { host: this.directory, user: 'test', database: 'postgres' };
  }

  async stop(): Promise<void> {
    this.process.kill('SIGQUIT'); // at once: nothing of it is needed any more
    await this.ended;
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async answers(): Promise<boolean> {
    const client = new Client(this.connection);
    try {
      await client.connect();
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => undefined);
    }
  }
}

/** PostgreSQL refuses to run as root. */
function ownerOf(directory: string): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (what: '-u' | '-g'): number => Number(spawnSync('id', [what, 'postgres'], { encoding: 'utf8' }).stdout.trim() || 65_534);
  const owner = { uid: id('-u'), gid: id('-g') };
  chownSync(directory, owner.uid, owner.gid);
  return owner;
}
