/** The Python example against real nodes; left out where Python or its gRPC is not installed. */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src';
import { startCluster } from '../support/processes';

jest.setTimeout(60_000);

const PYTHON = '/usr/bin/python3';
const root = join(__dirname, '../..');

function hasPythonGrpc(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import grpc, grpc_tools'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const run = hasPythonGrpc() ? test : test.skip;

run('a Python program holds a lock through plain gRPC (needs python3-grpcio and python3-grpc-tools)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'maekawa-python-'));
  const cluster = await startCluster({ leaseMs: 1_000 });
  try {
    execFileSync(PYTHON, ['-m', 'grpc_tools.protoc', '-I', join(root, 'proto'), `--python_out=${directory}`, `--grpc_python_out=${directory}`, 'maekawa/v1/locks.proto']);
    cpSync(join(root, 'examples/python/lock.py'), join(directory, 'lock.py'));
    const child = spawn(PYTHON, ['lock.py', cluster.addressOf('n1'), 'from-python', '2.5'], { cwd: directory, stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = new Promise((resolve) => child.once('close', resolve));
    let output = '';
    const isHolding = new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('holding')) resolve();
      });
    });
    await isHolding;
    const { locks, close } = connect({ addresses: [cluster.addressOf('n2')] });
    await expect(locks.tryAcquire('from-python')).resolves.toBeNull();
    const lock = await locks.acquire('from-python', { waitMs: 10_000 });
    await ended;
    expect(output).toMatch(/^holding from-python with token (\d+)\nreleased\n$/);
    expect(lock.token).toBeGreaterThan(Number(/token (\d+)/.exec(output)?.[1]));
    await close();
  } finally {
    await cluster.remove();
    rmSync(directory, { recursive: true, force: true });
  }
});
