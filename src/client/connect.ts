/**
 * The same locks from a process that is no node. Beside the manager itself, so that the types that users see
 * lead to nothing of gRPC.
 */
import { isObject, shown } from '../arguments';
import { LockError } from '../errors';
import { asyncDispose } from '../locks/async-dispose';
import type { LockManager } from '../locks/types';
import { configurationOf } from '../config';
import { TlsStore } from '../transport/tls-store';
import type { TlsFiles } from '../transport/transport';
import { NodeConnection } from './node-connection';
import { RemoteLockManager } from './remote';

/** Which nodes `connect` asks, and how. One of `addresses` and `config` is needed. */
export interface ConnectOptions {
  /** `host:port` of nodes, the preferred one first. Default: all of `config`, in its order. */
  readonly addresses?: readonly string[];
  /**
   * Path of a `quorums.json`, its parsed content, or what `readConfiguration` returned. With TLS, the certificate of a node
   * whose address it has must name the node's id; of any other, the host. Default: none.
   */
  readonly config?: string | object;
  /** The files of this client's certificate; needed when the nodes use TLS. They are read again when they change. */
  readonly tls?: TlsFiles;
  /** The `cluster` of their configuration: nodes of another one refuse, with a LockError `protocol`. Default: that of `config`; without it, any will do. */
  readonly cluster?: string;
  /**
   * Keep a lock that was released here and that nobody else wants: to take it again costs no message. It is given back as soon as
   * anybody else wants it or asks who holds it (`query`, `watch`), when it was idle for a lease, or when a thousand others were used since.
   * Only exclusive locks without `steal`, `maxHoldMs` and `atLeastMs` are kept. A process that ends without `close()` leaves the next one
   * to wait for up to a lease. A process that does nothing more ends a lease later, unless it calls `close()`. Default: false.
   */
  readonly keep?: boolean;
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
 * that answers. The nodes check which cluster you mean only if you say so (`cluster`, `config`).
 * @throws LockError `config` when no address is given, the configuration is wrong, or the TLS files cannot be used; TypeError
 * for options of a wrong type
 */
export function connect(options: ConnectOptions): RemoteLocks {
  if (!isObject(options)) throw new TypeError(`connect takes an object, such as { addresses: ['127.0.0.1:7001'] }, not ${shown(options)}`);
  const { addresses, config, tls, cluster, keep = false } = options;
  const configuration = config === undefined ? undefined : configurationOf(config);
  const list: unknown = addresses ?? configuration?.nodes.map(({ address }) => address) ?? []; // Narrowed, it would be an array of any.
  if (!Array.isArray(list)) throw new TypeError(`connect takes the addresses in an array, such as ['127.0.0.1:7001'], not ${shown(addresses)}`);
  if (list.length === 0) throw new LockError('config', 'connect needs the address of at least one node, such as 127.0.0.1:7001, or a configuration');
  const checked = list.map((address: unknown) => {
    if (typeof address === 'string' && /^.+:\d+$/.test(address)) return address;
    throw new LockError('config', `${JSON.stringify(address)} is not the address of a node; give host:port, such as 127.0.0.1:7001`);
  });
  if (cluster !== undefined && typeof cluster !== 'string') throw new TypeError(`cluster is the name of a cluster, not ${shown(cluster)}`);
  if (typeof keep !== 'boolean') throw new TypeError(`keep is true or false, not ${shown(keep)}`);
  const store = tls === undefined ? undefined : new TlsStore(tls).watch();
  const nodeAt = new Map(configuration?.nodes.map(({ id, address }) => [address, id]));
  const manager = new RemoteLockManager(checked.map((address) => new NodeConnection(address, { tls: store, cluster: cluster ?? configuration?.cluster, node: nodeAt.get(address) })), keep);
  const close = (): Promise<void> => {
    store?.stop();
    return manager.close();
  };
  return { locks: manager, close, [asyncDispose]: close };
}
