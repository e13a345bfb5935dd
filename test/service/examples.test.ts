/**
 * The examples in other languages, made from `locks.proto` by the ordinary tools, against real nodes. Each is left
 * out where its language and its gRPC are not installed.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from '../../src';
import type { Cluster } from '../../src/cli/demo/cluster';
import { Started, startCluster, until } from '../support/processes';

const root = join(__dirname, '../..');
const PROTO = ['-I', join(root, 'proto')];
const FILE = 'maekawa/v1/locks.proto';

interface Language {
  readonly name: string;
  readonly needs: string;
  readonly isInstalled: () => boolean;
  /** Make it in an empty directory. Returns the command that takes address, lock name and seconds. */
  readonly make: (directory: string) => (address: string, lock: string, seconds: number) => [string, ...string[]];
}

const PYTHON = '/usr/bin/python3'; // the one that Debian's packages are for
const GO_SOURCES = '/usr/share/gocode';

/** The example dials as the gRPC of today does. Debian's is older, and knows messages of older generators only. */
const DIAL_WITH_DEBIANS_GRPC = `package main

import (
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

type codec struct{}

func (codec) Marshal(v interface{}) ([]byte, error)      { return proto.Marshal(v.(proto.Message)) }
func (codec) Unmarshal(data []byte, v interface{}) error { return proto.Unmarshal(data, v.(proto.Message)) }
func (codec) Name() string                               { return "proto" }

func dial(address string) (*grpc.ClientConn, error) {
	return grpc.Dial(address, grpc.WithInsecure(), grpc.WithDefaultCallOptions(grpc.ForceCodec(codec{})))
}
`;

const languages: Language[] = [
  {
    name: 'Python',
    needs: 'python3-grpcio and python3-grpc-tools',
    isInstalled: () => spawnSync(PYTHON, ['-c', 'import grpc, grpc_tools']).status === 0,
    make: (directory) => {
      execFileSync(PYTHON, ['-m', 'grpc_tools.protoc', ...PROTO, `--python_out=${directory}`, `--grpc_python_out=${directory}`, FILE]);
      cpSync(join(root, 'examples/python/lock.py'), join(directory, 'lock.py'));
      return (address, lock, seconds) => [PYTHON, join(directory, 'lock.py'), address, lock, String(seconds)];
    },
  },
  {
    name: 'Go',
    needs: 'golang-go, golang-google-grpc-dev, golang-google-protobuf-dev, protobuf-compiler, protoc-gen-go and protoc-gen-go-grpc',
    isInstalled: () => ['go version', 'protoc --version', 'protoc-gen-go --version', 'protoc-gen-go-grpc --version'].every((command) => spawnSync(command, { shell: true }).status === 0)
      && ['grpc', 'protobuf'].every((each) => existsSync(join(GO_SOURCES, 'src/google.golang.org', each))),
    make: (directory) => {
      const source = join(directory, 'src/example');
      mkdirSync(source, { recursive: true });
      cpSync(join(root, 'examples/go/main.go'), join(source, 'main.go'));
      writeFileSync(join(source, 'dial.go'), DIAL_WITH_DEBIANS_GRPC);
      const options = ['go', 'go-grpc'].flatMap((out) => [`--${out}_out=${source}`, `--${out}_opt=M${FILE}=example/locks`, `--${out}_opt=module=example`]);
      execFileSync('protoc', [...PROTO, ...options, FILE]);
      const program = join(directory, 'lock');
      // Without modules: from Debian's sources, and nothing is fetched.
      const env = { ...process.env, GO111MODULE: 'off', GOFLAGS: '', GOPATH: `${directory}:${GO_SOURCES}`, GOCACHE: process.env['GOCACHE'] ?? join(tmpdir(), 'maekawa-go-cache') };
      execFileSync('go', ['vet', 'example'], { env, stdio: 'pipe' });
      execFileSync('go', ['build', '-o', program, 'example'], { env, stdio: 'pipe' });
      return (address, lock, seconds) => [program, address, lock, `${seconds}s`];
    },
  },
];

describe.each(languages)('a program in $name (needs $needs)', ({ name, isInstalled, make }) => {
  const inLanguage = isInstalled() ? test : test.skip;
  let directory: string;
  let cluster: Cluster;
  let command: ReturnType<Language['make']>;

  beforeAll(async () => {
    if (!isInstalled()) return;
    directory = mkdtempSync(join(tmpdir(), 'maekawa-example-'));
    command = make(directory);
    cluster = await startCluster({ leaseMs: 1_000 });
  }, 600_000);
  afterAll(async () => {
    if (!isInstalled()) return;
    await cluster.remove();
    rmSync(directory, { recursive: true, force: true });
  });

  /** Holds a lock through n1. */
  function run(lock: string, seconds: number): Started {
    return new Started(command(cluster.addressOf('n1'), lock, seconds));
  }

  inLanguage('holds a lock for longer than a lease, and gives it back', async () => {
    const lock = `from ${name}`;
    const example = run(lock, 2.5);
    await example.prints(/holding/);
    const { locks, close } = connect({ addresses: [cluster.addressOf('n2')] });
    await expect(locks.tryAcquire(lock)).resolves.toBeNull();
    const next = await locks.acquire(lock, { waitMs: 30_000 });
    expect(await example.ended).toBe(0);
    expect(example).toMatchObject({ output: expect.stringMatching(/^holding from \w+ with token \d+\nreleased\n$/) as string, errors: '' });
    expect(next.token).toBeGreaterThan(Number(/token (\d+)/.exec(example.output)?.[1]));
    await close();
  });

  inLanguage('waits for its turn', async () => {
    const { locks, close } = connect({ addresses: [cluster.addressOf('n2')] });
    const held = await locks.acquire('turn');
    const example = run('turn', 0);
    const asked = connect({ addresses: [cluster.addressOf('n1')] });
    await until(async () => (await asked.locks.query()).pending.some((each) => each.name === 'turn'), 'it to wait');
    expect(example.output).toBe('');
    held.release();
    expect(await example.ended).toBe(0);
    expect(example.output).toMatch(/^holding turn with token \d+\nreleased\n$/);
    await close();
    await asked.close();
  });

  inLanguage('knows by its own clock that the lock is lost when the node is frozen', async () => {
    const example = run('frozen', 60);
    await example.prints(/holding/);
    cluster.signal('n1', 'SIGSTOP');
    try {
      expect(await example.ended).toBe(1);
      expect(example.errors).toMatch(/lost/);
      expect(example.output).not.toMatch(/released/);
    } finally {
      cluster.signal('n1', 'SIGCONT');
    }
  });
});
