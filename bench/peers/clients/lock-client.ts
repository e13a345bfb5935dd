/**
 * What a process of the benchmark asks of any lock service: take a lock, give it back. Each service has one client of this
 * shape, written as its own users would write it. A client never hides a failure: what it cannot do it rejects with.
 */

/** Gives the lock back; resolves when the service has said that it is free. */
export type Release = () => Promise<void>;

export interface LockClient {
  /**
   * Waits until the lock is held.
   * @param caller which of the concurrent callers of this process asks, from 0: services that count a connection or a session
   * as the holder need one for each caller
   */
  acquire(name: string, caller: number): Promise<Release>;
  /** Ends its connections. What it still holds is given back or ends with its lease. */
  close(): Promise<void>;
}

/** Where a client finds its service, and the lease that it asks for. */
export type ClientSpec =
  | { readonly kind: 'connect'; readonly addresses: readonly string[]; readonly cluster: string; readonly keep: boolean }
  /** One Redis, `SET NX PX` and a script that deletes what is still ours. */
  | { readonly kind: 'redis'; readonly ports: readonly number[]; readonly leaseMs: number }
  /** The package `redlock` with its own settings, trying for as long as it takes. */
  | { readonly kind: 'redlock'; readonly ports: readonly number[]; readonly leaseMs: number }
  /** The same algorithm without the package, over connections that put the commands of one turn into one write. */
  | { readonly kind: 'redlock-pipelined'; readonly ports: readonly number[]; readonly leaseMs: number }
  /** The lock of the package `etcd3`, a lease and a key for each. It does not wait: who finds it taken asks again. */
  | { readonly kind: 'etcd3'; readonly ports: readonly number[]; readonly leaseMs: number }
  /** The lock service that etcd has itself, by gRPC. */
  | { readonly kind: 'etcd-lock'; readonly ports: readonly number[]; readonly leaseMs: number }
  /** The recipe: an ephemeral node in sequence, and a watch on the one before it. */
  | { readonly kind: 'zookeeper'; readonly ports: readonly number[]; readonly leaseMs: number }
  /** `pg_advisory_lock`, one connection for each caller. Its lock has no lease. */
  | { readonly kind: 'postgres'; readonly ports: readonly number[] };

/** How long those wait who have to ask again because nobody tells them that the lock is free. */
export const POLL_MS = 1;

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
