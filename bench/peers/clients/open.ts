/** Opens a client of whatever service a specification names. */
import { assertNever } from '../../../src/core';
import { openEtcd3, openEtcdLock } from './etcd';
import { openConnect } from './maekawa';
import { openPostgres } from './postgres';
import { openRedis, openRedlock, openRedlockPipelined } from './redis';
import { openZooKeeper } from './zookeeper';
import type { ClientSpec, LockClient } from './lock-client';

export async function openClient(spec: ClientSpec): Promise<LockClient> {
  switch (spec.kind) {
    case 'connect':
      return openConnect(spec);
    case 'redis':
      return await openRedis(spec);
    case 'redlock':
      return await openRedlock(spec);
    case 'redlock-pipelined':
      return await openRedlockPipelined(spec);
    case 'etcd3':
      return openEtcd3(spec);
    case 'etcd-lock':
      return openEtcdLock(spec);
    case 'zookeeper':
      return await openZooKeeper(spec);
    case 'postgres':
      return openPostgres(spec);
    default:
      return assertNever(spec);
  }
}
