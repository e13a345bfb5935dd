/**
 * The same locks from a process that is no node. Beside the manager itself, so that the types that users see
 * lead to nothing of gRPC.
 */
import { isObject, shown } from '../arguments';
import { LockError } from '../errors';
import type { LockManager } from '../locks/types';
import { loadClientTls } from '../transport/tls';
import type { TlsFiles } from '../transport/transport';
import { NodeConnection } from './node-connection';
import { RemoteLockManager } from './remote';

/** Which nodes `connect` asks, and how. */
export interface ConnectOptions {
  /** `host:port` of nodes, the preferred one first. */
  readonly addresses: readonly string[];
  /** The files of this client's certificate; needed when the nodes use TLS. */
  readonly tls?: TlsFiles;
  /** The `cluster` of their configuration: nodes of another one refuse, with a LockError `protocol`. Default: any will do. */
  readonly cluster?: string;
}

/** What `connect` gives. */
export interface RemoteLocks {
  readonly locks: LockManager;
  /**
   * Gives up every request that waits and releases every lock that is held. Resolves when the nodes know, or after
   * half a second. Then nothing keeps the process alive. Idempotent.
   */
  readonly close: () => Promise<void>;
  /** As `close`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The locks of a cluster for a process that is no node. Does not wait for a connection: each request finds a node
 * that answers. The nodes check which cluster you mean only if you say so (`cluster`).
 * @throws LockError `config` when no address is given or a TLS file cannot be read, TypeError for options of a wrong type
 */
export function connect(options: ConnectOptions): RemoteLocks {
  if (!isObject(options)) throw new TypeError(`connect takes an object, such as { addresses: ['127.0.0.1:7001'] }, not ${shown(options)}`);
  const { addresses, tls, cluster } = options;
  const list: unknown = addresses; // Narrowed, it would be an array of any.
  if (!Array.isArray(list)) throw new TypeError(`connect takes the addresses in an array, such as ['127.0.0.1:7001'], not ${shown(addresses)}`);
  if (addresses.length === 0) throw new LockError('config', 'connect needs the address of at least one node, such as 127.0.0.1:7001');
  for (const address of addresses) {
    if (!/^.+:\d+$/.test(address)) throw new LockError('config', `${JSON.stringify(address)} is not the address of a node; give host:port, such as 127.0.0.1:7001`);
  }
  if (cluster !== undefined && typeof cluster !== 'string') throw new TypeError(`cluster is the name of a cluster, not ${shown(cluster)}`);
  const material = tls === undefined ? undefined : loadClientTls(tls);
  const manager = new RemoteLockManager(addresses.map((address) => new NodeConnection(address, { tls: material, cluster })));
  return { locks: manager, close: () => manager.close(), [Symbol.asyncDispose]: () => manager.close() };
}
