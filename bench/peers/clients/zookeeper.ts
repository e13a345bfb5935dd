/** A lock in ZooKeeper, by the recipe of its manual: an ephemeral node in sequence, and a watch on the one before it. */
import { packageOf } from './package-of';
import type { ClientSpec, LockClient, Release } from './lock-client';

interface ZooKeeperError extends Error {
  readonly code: number;
  /** The code by its name, such as `NODE_EXISTS`. */
  readonly name: string;
}

type Done<Value> = (error: ZooKeeperError | null, value: Value) => void;

interface ZooKeeperClient {
  once(event: 'connected', listener: () => void): void;
  connect(): void;
  close(): void;
  create(path: string, mode: number, callback: Done<string>): void;
  remove(path: string, callback: Done<undefined>): void;
  getChildren(path: string, callback: Done<string[]>): void;
  exists(path: string, watcher: () => void, callback: Done<object | null>): void;
}

interface ZooKeeperPackage {
  readonly createClient: (servers: string, options: { sessionTimeout: number }) => ZooKeeperClient;
  readonly CreateMode: { readonly PERSISTENT: number; readonly EPHEMERAL_SEQUENTIAL: number };
  readonly Exception: { readonly NODE_EXISTS: number };
}

export async function openZooKeeper({ ports, leaseMs }: Extract<ClientSpec, { kind: 'zookeeper' }>): Promise<LockClient> {
  const { createClient, CreateMode, Exception } = packageOf('node-zookeeper-client') as ZooKeeperPackage;
  const client = createClient(ports.map((port) => `127.0.0.1:${port}`).join(','), { sessionTimeout: leaseMs });
  const connected = new Promise<void>((resolve) => client.once('connected', resolve));
  client.connect();
  await connected;

  const create = (path: string, mode: number): Promise<string> =>
    new Promise((resolve, reject) => client.create(path, mode, (error, made) => (error === null || error === undefined ? resolve(made) : reject(error))));
  const parents = new Map<string, Promise<void>>();
  /** Made once; others may have made it before. */
  const parentOf = (name: string): Promise<void> => {
    const known = parents.get(name) ?? create(`/${name}`, CreateMode.PERSISTENT).then(() => undefined, (error: ZooKeeperError) => {
      if (error.code !== Exception.NODE_EXISTS) throw error;
    });
    parents.set(name, known);
    return known;
  };

  const children = (path: string): Promise<string[]> =>
    new Promise((resolve, reject) => client.getChildren(path, (error, names) => (error === null || error === undefined ? resolve(names) : reject(error))));
  /** Resolves when it is gone, at once if it is gone already. */
  const gone = (path: string): Promise<void> =>
    new Promise((resolve, reject) => client.exists(path, () => resolve(), (error, stat) => {
      if (error !== null && error !== undefined) reject(error);
      else if (stat === null || stat === undefined) resolve();
    }));

  return {
    acquire: async (name): Promise<Release> => {
      await parentOf(name);
      const path = await create(`/${name}/at-`, CreateMode.EPHEMERAL_SEQUENTIAL);
      const own = path.slice(path.lastIndexOf('/') + 1);
      for (;;) {
        const before = (await children(`/${name}`)).filter((each) => each < own).sort().at(-1);
        if (before === undefined) break;
        await gone(`/${name}/${before}`);
      }
      return () => new Promise((resolve, reject) => client.remove(path, (error) => (error === null || error === undefined ? resolve() : reject(error))));
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}
