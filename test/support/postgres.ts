/**
 * A PostgreSQL of the test's own: in a directory that is removed again, reached through a socket in it,
 * owned by a user without rights. Machines without PostgreSQL skip the tests that need one.
 */
import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { ownerForPostgres } from '../../bench/peers/servers/postgres';
import { until } from './processes';

export { postgresPrograms as findPostgres } from '../../bench/peers/servers/postgres';

export class PostgresServer {
  private constructor(
    private readonly directory: string,
    private readonly process: ChildProcess,
    private readonly ended: Promise<unknown>,
  ) {}

  static async start(programs: string): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'maekawa-postgres-'));
    const owner = ownerForPostgres(directory);
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
