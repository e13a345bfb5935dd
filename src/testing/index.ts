/**
 * `maekawa/testing`: a whole cluster in one process, for tests of code that uses locks. The nodes are real. The
 * network and the time belong to the test: nothing waits, nothing is random, and leases end when the test says so.
 *
 * @module maekawa/testing
 */
import { shown } from '../arguments';
import { parseConfiguration } from '../config';
import type { Configuration } from '../config';
import type { NodeId } from '../core';
import { LockError } from '../errors';
import type { NodeLockManager } from '../locks/lock-manager';
import { CALLERS_DRAIN_MS } from '../locks/lock-manager';
import type { LockChange, LockInfo, LockManager, LockManagerSnapshot } from '../locks/types';
import { silentLog } from '../log';
import { assembleNode } from '../node/assemble';
import { NodeStop } from '../node/stop';
import type { StopOptions } from '../node/stop-options';
import type { DataDirectory } from '../runtime/data-directory';
import type { NodeTime } from '../runtime/monotonic-time';
import type { FamilyLayout } from '../quorum';
import { MemoryNetwork } from './memory-network';
import { VirtualTime, settle } from './virtual-time';

export { memoryFenceStore } from './fence-store';
export type { MemoryFenceStore } from './fence-store';

/** How many nodes, which quorums, how long a lease is. */
export interface TestClusterOptions {
  /** How many nodes, named n1, n2, …; or their ids. Default 3. */
  readonly nodes?: number | readonly NodeId[];
  /** Default a majority. */
  readonly quorums?: FamilyLayout;
  /** Default 5000. */
  readonly leaseMs?: number;
  /** How long each message is on its way, in virtual time. Default 0: it arrives without time passing. */
  readonly latencyMs?: number;
}

/** One node of the cluster. Across crashes and restarts it is the same one. */
export interface TestNode {
  readonly id: NodeId;
  /** The locks of its current life. After `restart` they are others. */
  readonly locks: LockManager;
  /** It dies at once, as by kill -9. Nobody is told, and its locks end with their leases. */
  crash(): void;
  /** It starts again after a crash, with the data directory that it had. */
  restart(): Promise<void>;
  /**
   * It stops in good order, as `MaekawaNode.stop` does. The grace is virtual time: let it pass with `advance`. Then the signals
   * of its locks abort. A lock that its holder gives back without time passing is free at once; the others end with their leases.
   */
  stop(options?: StopOptions): Promise<void>;
}

/** A whole cluster in this process, its network and its time. */
export interface TestCluster {
  readonly nodes: readonly TestNode[];
  /** @throws LockError `config` when there is no such node */
  node(id: NodeId): TestNode;
  /** Milliseconds of virtual time since the start. */
  now(): number;
  /** Let time pass: leases end, time-outs come, messages arrive. Rejects with a LockError `config` unless it is 0 or more, and finite. */
  advance(byMs: number): Promise<void>;
  /**
   * Let time pass until the promise has settled, at most `withinMs` (default: a hundred leases), and give what it gives: its
   * value, or its rejection. So a rejection that comes while time passes is handled. Rejects with a LockError `config` when the
   * promise has not settled by then.
   */
  advanceUntil<Value>(promise: Promise<Value>, withinMs?: number): Promise<Value>;
  /** Resolves when everything has happened that can happen without time passing. */
  settle(): Promise<void>;
  /** Cut the link between two nodes, both ways. */
  cut(a: NodeId, b: NodeId): void;
  /** Cut a node off from all others. */
  isolate(id: NodeId): void;
  /** Mend all links. */
  heal(): void;
  /** Stops all nodes that run. */
  stop(): Promise<void>;
}

/** Start a cluster. All nodes are connected when this resolves. @throws LockError `config` for options that are wrong */
export async function testCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { nodes = 3, quorums = { family: 'majority' }, leaseMs = 5_000, latencyMs = 0 } = options;
  if (typeof nodes === 'number' && !(Number.isInteger(nodes) && nodes > 0)) {
    throw new LockError('config', `a test cluster has a whole number of nodes, at least 1, not ${nodes}`);
  }
  if (!isDuration(latencyMs)) throw new LockError('config', `latencyMs is a number of milliseconds, 0 or more, not ${shown(latencyMs)}`);
  const ids = typeof nodes === 'number' ? Array.from({ length: nodes }, (_, index) => `n${index + 1}`) : [...nodes];
  const addresses = ids.map((id, index) => ({ id, address: `127.0.0.1:${index + 1}` })); // nobody listens there
  const configuration = parseConfiguration({ cluster: 'test', nodes: addresses, quorums, leaseMs }, 'the test cluster');
  const cluster = new MemoryCluster(configuration, latencyMs);
  await cluster.start();
  return cluster;
}

class MemoryCluster implements TestCluster {
  readonly nodes: readonly MemoryNode[];
  private readonly time = new VirtualTime();
  private readonly network: MemoryNetwork;
  private readonly leaseMs: number;

  constructor(configuration: Configuration, latencyMs: number) {
    this.leaseMs = configuration.leaseMs;
    this.network = new MemoryNetwork(this.time, latencyMs);
    const parts: ClusterParts = {
      configuration, network: this.network, time: this.time,
      peersOf: (asker) => this.nodes.filter((each) => each.id !== asker),
    };
    this.nodes = configuration.nodes.map(({ id }) => new MemoryNode(id, parts));
  }

  async start(): Promise<void> {
    for (const node of this.nodes) await node.begin(true);
  }

  node(id: NodeId): MemoryNode {
    const node = this.nodes.find((each) => each.id === id);
    if (node !== undefined) return node;
    throw new LockError('config', `the test cluster has no node ${JSON.stringify(id)}; it has ${this.nodes.map((each) => each.id).join(', ')}`);
  }

  now(): number {
    return this.time.nowMs();
  }

  async advance(byMs: number): Promise<void> {
    if (!isDuration(byMs)) throw new LockError('config', `advance takes a number of milliseconds, 0 or more, not ${shown(byMs)}`);
    return this.time.advance(byMs);
  }

  async advanceUntil<Value>(promise: Promise<Value>, withinMs: number = 100 * this.leaseMs): Promise<Value> {
    if (!isDuration(withinMs)) throw new LockError('config', `advanceUntil takes a number of milliseconds, 0 or more, not ${shown(withinMs)}`);
    let isSettled = false;
    const settled = (): void => void (isSettled = true);
    promise.then(settled, settled);
    await this.time.advance(withinMs, () => isSettled);
    if (isSettled) return promise;
    throw new LockError('config', `the promise has not settled within ${withinMs} ms of virtual time`);
  }

  settle(): Promise<void> {
    return settle();
  }

  cut(a: NodeId, b: NodeId): void {
    this.network.cut(this.node(a).id, this.node(b).id);
  }

  isolate(id: NodeId): void {
    for (const { id: other } of this.nodes) if (other !== this.node(id).id) this.network.cut(id, other);
  }

  heal(): void {
    for (const { id: a } of this.nodes) for (const { id: b } of this.nodes) if (a < b) this.network.mend(a, b);
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
  }
}

function isDuration(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0;
}

interface ClusterParts {
  readonly configuration: Configuration;
  readonly network: MemoryNetwork;
  readonly time: VirtualTime;
  readonly peersOf: (asker: NodeId) => readonly MemoryNode[];
}

interface Life {
  readonly stopping: NodeStop;
  readonly locks: NodeLockManager;
  readonly time: TimeOfLife;
}

class MemoryNode implements TestNode {
  private life: Life | null = null;
  /** Outlives the node. */
  private ceilingOnDisk = 0;

  constructor(
    readonly id: NodeId,
    private readonly cluster: ClusterParts,
  ) {}

  get locks(): LockManager {
    if (this.life === null) throw new LockError('closed', `node ${this.id} is not running; restart it first`);
    return this.life.locks;
  }

  async begin(firstStart: boolean): Promise<void> {
    if (this.life !== null) throw new LockError('config', `node ${this.id} is running already`);
    const { configuration, network, time, peersOf } = this.cluster;
    const lifeTime = new TimeOfLife(time);
    const { runtime, manager } = assembleNode({
      id: this.id,
      configuration,
      transport: network.transportOf(this.id),
      dataDirectory: this.disk(),
      time: lifeTime,
      log: silentLog,
      retain: true,
      firstStart,
      queryPeers: async () => new Map(await Promise.all(peersOf(this.id).map(async (peer) => [peer.id, await peer.snapshot(this.id)] as const))),
      holdersAtPeers: (name) => Promise.resolve(new Map(peersOf(this.id).map((peer) => [peer.id, peer.holdersOf(this.id, name)] as const))),
      watchPeers: (name, listener) => {
        const stops = peersOf(this.id).map((peer) => peer.watch(this.id, name, listener));
        return () => {
          for (const stop of stops) stop();
        };
      },
    });
    const stopping = new NodeStop({
      id: this.id, runtime, manager, log: silentLog,
      onBegin: () => undefined,
      close: async (reason) => {
        const inUse = await manager.drain(reason, CALLERS_DRAIN_MS);
        this.life = null;
        await runtime.stop(reason, [...inUse]);
      },
    });
    this.life = { stopping, locks: manager, time: lifeTime };
    await runtime.start();
  }

  /** What it holds; null when `asker` cannot reach it. */
  async snapshot(asker: NodeId): Promise<LockManagerSnapshot | null> {
    return this.life === null || this.cluster.network.isCut(asker, this.id) ? null : this.life.locks.query({ scope: 'node' });
  }

  /** Who holds this lock through it; null when `asker` cannot reach it. */
  holdersOf(asker: NodeId, name: string): readonly LockInfo[] | null {
    return this.life === null || this.cluster.network.isCut(asker, this.id) ? null : this.life.locks.holdersOf(name);
  }

  /** As the service for clients does: there and back on the network. */
  watch(asker: NodeId, name: string, listener: (change: LockChange) => void): () => void {
    const { network } = this.cluster;
    let stop: (() => void) | undefined;
    let isOver = false;
    network.carry(asker, this.id, () => {
      if (isOver) return;
      const { life } = this;
      stop = life?.locks.watch(name, (change) => {
        if (this.life !== life) return; // It crashed.
        network.carry(this.id, asker, () => {
          if (!isOver) listener(change);
        });
      });
    });
    return () => {
      isOver = true;
      stop?.();
    };
  }

  crash(): void {
    this.life?.time.end();
    this.life = null;
    this.cluster.network.leave(this.id);
  }

  restart(): Promise<void> {
    return this.begin(false);
  }

  async stop(options: StopOptions = {}): Promise<void> {
    await this.life?.stopping.begin(options);
  }

  private disk(): DataDirectory {
    return {
      ceiling: this.ceilingOnDisk,
      existed: this.ceilingOnDisk > 0,
      terms: null,
      remember: () => Promise.resolve(),
      reserve: (ceiling) => {
        this.ceilingOnDisk = Math.max(this.ceilingOnDisk, ceiling);
        return Promise.resolve();
      },
      close: () => Promise.resolve(),
    };
  }
}

/** The timers of one life of a node: they die with it. */
class TimeOfLife implements NodeTime {
  private isOver = false;

  constructor(private readonly time: VirtualTime) {}

  end(): void {
    this.isOver = true;
  }

  nowMs(): number {
    return this.time.nowMs();
  }

  takeSleptMs(): number {
    return 0;
  }

  wallClockUs(): number {
    return this.time.wallClockUs();
  }

  pause(): Promise<void> {
    return this.time.pause();
  }

  schedule(callback: () => void, delayMs: number): () => void {
    return this.time.schedule(() => {
      if (!this.isOver) callback();
    }, delayMs);
  }
}
