/** Locks in etcd: those of the package `etcd3`, and those of the lock service that etcd has itself. */
import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import type { Client, ServiceError } from '@grpc/grpc-js';
import { packageOf } from './package-of';
import { pause, POLL_MS } from './lock-client';
import type { ClientSpec, LockClient, Release } from './lock-client';

interface EtcdLease {
  /** Resolves to the id, in decimal. */
  grant(): Promise<string>;
  revoke(): Promise<void>;
}

interface EtcdLock {
  ttl(seconds: number): EtcdLock;
  acquire(): Promise<EtcdLock>;
  release(): Promise<void>;
}

interface Etcd3 {
  lock(name: string): EtcdLock;
  lease(seconds: number): EtcdLease;
  close(): void;
}

interface Etcd3Package {
  readonly Etcd3: new (options: { hosts: string[] }) => Etcd3;
  readonly EtcdLockFailedError: new () => Error;
}

/** The least lease that etcd knows is a second. */
function secondsOf(leaseMs: number): number {
  return Math.max(1, Math.round(leaseMs / 1000));
}

export function openEtcd3({ ports, leaseMs }: Extract<ClientSpec, { kind: 'etcd3' }>): LockClient {
  const { Etcd3, EtcdLockFailedError } = packageOf('etcd3') as Etcd3Package;
  const etcd = new Etcd3({ hosts: ports.map((port) => `127.0.0.1:${port}`) });
  return {
    acquire: async (name): Promise<Release> => {
      for (;;) {
        try {
          const lock = await etcd.lock(name).ttl(secondsOf(leaseMs)).acquire();
          return () => lock.release();
        } catch (error) {
          if (!(error instanceof EtcdLockFailedError)) throw error;
          await pause(POLL_MS);
        }
      }
    },
    close: () => {
      etcd.close();
      return Promise.resolve();
    },
  };
}

/** The messages of etcd's `v3lock.proto`, as far as they are needed here, written by hand: two fields and one. */
interface LockCalls extends Client {
  lock(request: { readonly name: string; readonly lease: bigint }, callback: (error: ServiceError | null, key?: Buffer) => void): void;
  unlock(key: Buffer, callback: (error: ServiceError | null) => void): void;
}

const call = { requestStream: false, responseStream: false };
const LockService = makeGenericClientConstructor({
  lock: {
    ...call,
    path: '/v3lockpb.Lock/Lock',
    requestSerialize: ({ name, lease }: { name: string; lease: bigint }) => Buffer.concat([bytesField(1, Buffer.from(name)), Buffer.from([2 << 3]), varint(lease)]),
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => keyIn(bytes),
  },
  unlock: {
    ...call,
    path: '/v3lockpb.Lock/Unlock',
    requestSerialize: (key: Buffer) => bytesField(1, key),
    requestDeserialize: (bytes: Buffer) => bytes,
    responseSerialize: (bytes: Buffer) => bytes,
    responseDeserialize: () => undefined,
  },
}, 'Lock');

export function openEtcdLock({ ports, leaseMs }: Extract<ClientSpec, { kind: 'etcd-lock' }>): LockClient {
  const { Etcd3 } = packageOf('etcd3') as Etcd3Package;
  const etcd = new Etcd3({ hosts: ports.map((port) => `127.0.0.1:${port}`) });
  const service = new LockService(`127.0.0.1:${ports[0] ?? 0}`, credentials.createInsecure()) as unknown as LockCalls;
  // To etcd the lease is the holder, so callers that shall keep each other out need one each. It is kept alive by the package.
  const leases = new Map<number, Promise<string>>();
  const leaseOf = (caller: number): Promise<string> => {
    const known = leases.get(caller) ?? etcd.lease(secondsOf(leaseMs)).grant();
    leases.set(caller, known);
    return known;
  };
  return {
    acquire: async (name, caller): Promise<Release> => {
      const lease = BigInt(await leaseOf(caller));
      const key = await new Promise<Buffer>((resolve, reject) =>
        service.lock({ name, lease }, (error, held) => (error === null && held !== undefined ? resolve(held) : reject(error ?? new Error('etcd named no key')))));
      return () => new Promise((resolve, reject) => service.unlock(key, (error) => (error === null ? resolve() : reject(error))));
    },
    close: () => {
      service.close();
      etcd.close();
      return Promise.resolve();
    },
  };
}

export function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

export function bytesField(field: number, bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(BigInt(bytes.length)), bytes]);
}

/** Field 2 of the answer to Lock. Both of its fields are bytes with a length. */
export function keyIn(bytes: Buffer): Buffer {
  let at = 0;
  const length = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes.readUInt8(at++);
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const field = bytes.readUInt8(at++) >> 3;
    const size = length();
    if (field === 2) return bytes.subarray(at, at + size);
    at += size;
  }
  throw new Error('etcd named no key');
}
