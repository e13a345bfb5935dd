/**
 * Puts a node together: configuration, data directory, core, transport, services; and takes it apart.
 */
import { isObject, shown } from '../arguments';
import { configurationOf } from '../config';
import type { Configuration } from '../config';
import { slackOf } from '../core';
import type { LockName, NodeId } from '../core';
import { LockError } from '../errors';
import { processLabel } from '../locks/holder-title';
import { CALLERS_DRAIN_MS } from '../locks/lock-manager';
import { SharedAnswer } from '../locks/shared-answer';
import { lockStatus, nodeState } from '../locks/status';
import type { NodeState, NodeStatus } from '../locks/status';
import type { LockManager, PlatformAbortSignal } from '../locks/types';
import { silentLog } from '../log';
import type { Logger } from '../log';
import { addDiscovery } from '../client-protocol/discovery';
import { PeerClients } from '../client/peers';
import { Admission } from '../service/admission';
import { readLimits } from '../service/limits';
import type { ClientLimits } from '../service/limits';
import { addLocksService } from '../service/server';
import { GrpcTransport } from '../transport/grpc-transport';
import { createServer, listen } from '../transport/server';
import type { Listening } from '../transport/server';
import { connectionLimit } from '../transport/descriptors';
import { TlsStore } from '../transport/tls-store';
import type { TlsFiles } from '../transport/transport';
import { assembleNode } from './assemble';
import { lifeToCome } from './earlier-life';
import type { LifeToCome } from './earlier-life';
import { NodeStop } from './stop';
import type { StopOptions } from './stop-options';
import { NoticeLog, certificateNotices, namesakeNotices, noticesOf, standingNotices } from './notices';
import type { Notice } from './notices';
import { ephemeralDirectory, openDataDirectory } from '../runtime/data-directory';
import type { DataDirectory } from '../runtime/data-directory';
import { MonotonicTime } from '../runtime/monotonic-time';
import { TraceWriter } from '../runtime/trace-writer';
import { VERSION } from '../version';

/** The year 2112: half of all Lamport times. */
const WALL_CLOCK_US_MAX = 2 ** 52;

/** Which node of which configuration `startNode` starts, and how. */
export interface StartOptions {
  /** Which node of the configuration this process is. */
  readonly id: NodeId;
  /** Path of a `quorums.json`, its parsed content, or what `readConfiguration` returned. */
  readonly config: string | object;
  /** Where to listen, `host:port`. Default: this node's address in the configuration. */
  readonly listen?: string;
  /** Addresses of peers that differ from the configuration, by node id. */
  readonly peers?: Readonly<Record<NodeId, string>>;
  /**
   * Where the node keeps what it must not forget. One directory for each node, of the process's user (or root), without links in it.
   * Default `./maekawa-data/<id>`.
   */
  readonly dataDir?: string;
  /** Keep nothing on disk: each start is silent for one lease, and tokens may fall after a restart. Default false. */
  readonly ephemeral?: boolean;
  /**
   * Nobody has ever run this cluster, so the node lends its vote at once and not after one silent lease. Default
   * false. Set it only when that is true: otherwise it can let two holders in. A node whose data directory remembers a
   * life ignores it, which its log and `status` tell, and one that hears of an earlier life from a peer is silent like any other. LockError `config`
   * together with a configuration that has a `change`.
   */
  readonly firstStart?: boolean;
  /** Mutual TLS between nodes. Without it the node listens on loopback only, unless `insecure`. */
  readonly tls?: TlsFiles;
  /** Listen beyond loopback without TLS. Default false. */
  readonly insecure?: boolean;
  /**
   * How many connections of clients the node lets in at once; a further one hears why it is not. Peers whose certificate shows who they
   * are count none. Default 10,000, or three quarters of the files that the process may have open, if that is less.
   */
  readonly connectionsMax?: number;
  /** Keep the votes of a released lock until another node asks, so that taking it again costs no message. Default true. */
  readonly retain?: boolean;
  /** Where the node writes its log: a pino logger, or one of the same shape. Default: nowhere. */
  readonly log?: Logger;
  /** How much of the node its clients may use: those that differ from the defaults. */
  readonly limits?: Partial<ClientLimits>;
  /**
   * A file to which the node appends every event of the core with its effects, for a replay: a new one, or a trace. Default: none.
   */
  readonly traceFile?: string;
}

const OPTIONS: Readonly<Record<keyof StartOptions, true>> = {
  id: true, config: true, listen: true, peers: true, dataDir: true, ephemeral: true, firstStart: true, tls: true, insecure: true, connectionsMax: true, retain: true, log: true, limits: true, traceFile: true,
};

/** A node that runs in this process. */
export interface MaekawaNode {
  readonly id: NodeId;
  readonly configuration: Configuration;
  /** Where it listens, `host:port`. */
  readonly address: string;
  readonly locks: LockManager;
  /**
   * Aborts as soon as the node begins to stop, with a LockError `closed` as its reason. Locks that are held go on in a
   * grace: their own signals tell when they end. The error is not `definite` when a bug stopped
   * the node, or when another process runs with its id or its data directory. In the second case its cause is a LockError.
   */
  readonly signal: PlatformAbortSignal;
  /** Takes a snapshot, for people and for metrics. */
  status(): NodeStatus;
  /**
   * Stops the node, in two steps. From the call on it takes no new request, and who waits is told at once: a caller of this
   * process by a LockError `closed`, while a client asks another node by itself. What is held goes on for `graceMs`
   * (default 0), or until nothing is held; the node renews it, and lends its vote on. After that the node aborts the
   * signals of the locks still held, waits at most half a second for their holders to give them back (by callbacks that
   * end, or by `release`), tells the peers, and closes. A lock that is held even then ends with its lease.
   *
   * Resolves when the node has stopped. A further call can only shorten the grace: `stop()` ends it at once. Rejects with
   * a LockError `config` when `graceMs` is no number from 0 to 2^31 − 1, or another option is given; the node then goes on.
   */
  stop(options?: StopOptions): Promise<void>;
}

/**
 * Start a node in this process. Resolves when it listens; its peers may still be connecting.
 * @throws LockError `config` (bad configuration or option), `storage` (data directory in use, corrupt, not
 * writable, or that of another node or user), `unreachable` (address in use); TypeError when the options are no object.
 */
export async function startNode(options: StartOptions): Promise<MaekawaNode> {
  checkOptions(options);
  const { id, insecure = false, retain = true, log = silentLog } = options;
  const limits = readLimits(options.limits ?? {});
  const configuration = configurationOf(options.config);
  const addresses = new Map(configuration.nodes.map((node) => [node.id, node.address]));
  const ownAddress = addresses.get(id);
  if (ownAddress === undefined) {
    throw new LockError('config', `there is no node ${JSON.stringify(id)} in the configuration; it names ${[...addresses.keys()].join(', ')}`);
  }
  for (const [peer, address] of Object.entries(options.peers ?? {})) {
    if (!addresses.has(peer)) {
      throw new LockError('config', `an address was given for ${JSON.stringify(peer)}, but the configuration has no such node; leave it out, or correct the id`);
    }
    addresses.set(peer, address);
  }
  addresses.delete(id);
  const { connectionsMax, remark } = connectionLimit(options.connectionsMax);
  const store = options.tls === undefined ? undefined : new TlsStore(options.tls, { self: id, log });
  const tls = store === undefined ? {} : { tls: store };

  const time = new MonotonicTime();
  refuseWrongWallClock(time.wallClockUs());
  const dataDirectory = options.ephemeral === true
    ? ephemeralDirectory()
    : await openDataDirectory(options.dataDir ?? `./maekawa-data/${id}`, id);
  for (const text of dataDirectory.remarks ?? []) log.warn(text);
  let life: LifeToCome;
  try {
    life = lifeToCome({ id, configuration, slack: slackOf(configuration.leaseMs), directory: dataDirectory, firstStart: options.firstStart === true });
  } catch (error) {
    await dataDirectory.close();
    throw error;
  }
  for (const { level, text } of life.remarks) log[level](text);
  const tracing = options.traceFile === undefined ? {} : { trace: await openTrace(options.traceFile, log, dataDirectory) };
  const admission = new Admission(limits);
  const server = createServer(admission.interceptor);
  const { cluster, digest, layout, leaseMs } = configuration;
  const remembers = dataDirectory.existed;
  const transport = new GrpcTransport({ self: id, cluster, digest, layout, leaseMs, remembers, peers: addresses, server, log, ...tls });
  const peers = new PeerClients(addresses, { ...tls, cluster });
  // However many callers of this process ask.
  const peersTold = new SharedAnswer(() => peers.query());
  const { runtime, manager, hasQuorum, candidacy } = assembleNode({
    id, configuration, transport, dataDirectory, log, retain, time, life, firstStart: life.firstStart, ...tracing,
    label: processLabel(),
    queryPeers: () => peersTold.ask(),
    watchPeers: (name, listener) => peers.watch(name, listener),
    holdersAtPeers: (name) => peers.holdersOf(name),
  });

  const notices = (): Notice[] => [
    ...(candidacy === undefined ? [] : noticesOf(layout, candidacy)),
    ...(store === undefined ? [] : certificateNotices(store, Date.now())),
    ...namesakeNotices(id, [...runtime.namesakeAt], runtime.standsApart),
  ];
  const state = (): NodeState => {
    const lending = runtime.lending();
    return nodeState(id, lending, hasQuorum(lending), stopping.graceLeftMs);
  };
  const noticeLog = new NoticeLog(log);
  /** What was wrong with new files, the store has logged itself. */
  const writeNotices = (): void => noticeLog.write(notices().filter(({ kind }) => kind !== 'certificate kept'), runtime.nowMs());
  let hasBegun = false;
  runtime.onCandidacy = () => {
    writeNotices();
    if (hasBegun !== candidacy?.hasBegun && listening !== undefined) log.info(hasBegun ? 'lends no vote for now' : 'lends its vote from now on');
    hasBegun = candidacy?.hasBegun === true;
  };
  const startedAtMs = runtime.nowMs();
  const address = options.listen ?? ownAddress;
  const node = {
    id,
    configuration,
    address,
    locks: manager,
    signal: runtime.stops.signal,
    lockNames: () => runtime.lockNames(),
    queryPeers: peers.queryPage.bind(peers),
    status: (names?: readonly LockName[]): NodeStatus => {
      const nowMs = runtime.nowMs();
      const { sent, received, ignored } = runtime.counts;
      const now = state();
      return {
        id,
        version: VERSION,
        state: now,
        cluster,
        digest,
        layout,
        notices: [
          ...standingNotices({ ignoresFirstStart: options.firstStart === true && !life.firstStart, restsOnWallClocks: runtime.restsOnWallClocks, storageFault: now.kind === 'cannot-write' ? null : runtime.storageFault }),
          ...notices().map(({ text }) => text),
        ],
        restsOnWallClocks: runtime.restsOnWallClocks,
        uptimeMs: nowMs - startedAtMs,
        clock: runtime.clock(),
        peers: transport.peers(),
        locks: runtime.locks(names).map((view) => lockStatus(view, nowMs)),
        messages: { sent: { ...sent }, received: { ...received }, ignored: { ...ignored } },
        entries: runtime.entries,
      };
    },
    stop: (options: StopOptions = {}): Promise<void> => stopping.begin(options),
  };
  const service = addLocksService(server, node, manager, admission);
  const health = addDiscovery(server);
  const tellProbes = (): void => {
    const { servesLocks, lendsVote } = state();
    const isAlive = !runtime.ended.signal.aborted;
    health.set({ isAlive, servesLocks: isAlive && servesLocks, isReady: isAlive && servesLocks && lendsVote });
    service.setServing(servesLocks);
  };
  runtime.onReach = tellProbes;
  runtime.ended.signal.addEventListener('abort', tellProbes);
  let listening: Listening | undefined;
  const stopping = new NodeStop({
    id, runtime, manager, log,
    onBegin: tellProbes,
    close: async (reason) => {
      const inUse = await Promise.all([service.drain(), manager.drain(reason, CALLERS_DRAIN_MS)]);
      await runtime.stop(reason, inUse.flatMap((names) => [...names]));
      peers.close();
      store?.stop();
      if (listening === undefined) server.forceShutdown();
      else listening.stop();
    },
  });
  try {
    listening = await listen(server, address, { ...tls, insecure, self: id, peers: [...addresses.keys()], connectionsMax, log });
    if (remark !== null) log[options.connectionsMax === undefined ? 'info' : 'warn'](remark);
    if (store !== undefined) {
      store.watch().onRenewed = (material): void => listening?.renew(material);
      store.onLooked = writeNotices;
      writeNotices();
    }
    node.address = `${address.slice(0, address.lastIndexOf(':'))}:${listening.port}`;
    await runtime.start();
    tellProbes();
    const silence = runtime.silentForMs();
    log.info(
      { cluster, digest, layout, leaseMs, dataDir: options.ephemeral === true ? null : (options.dataDir ?? `./maekawa-data/${id}`) },
      `node ${id} listens on ${node.address}${silence > 0 ? `; it lends its vote in ${silence} ms, because it may have lent it before it restarted` : ''}`,
    );
  } catch (error) {
    await node.stop();
    throw error;
  }
  return node;
}

/** A misspelt option would have no effect, and mostly somebody would notice only after a crash. */
function checkOptions(options: StartOptions): void {
  if (!isObject(options)) throw new TypeError(`startNode takes an object, such as { id: 'n1', config: 'quorums.json' }, not ${shown(options)}`);
  const { connectionsMax } = options;
  if (connectionsMax !== undefined && (!Number.isSafeInteger(connectionsMax) || connectionsMax < 1)) {
    throw new LockError('config', `connectionsMax is ${shown(connectionsMax)}; give a whole number of 1 or more`);
  }
  const unknown = Object.keys(options).find((name) => !Object.hasOwn(OPTIONS, name));
  if (unknown !== undefined) {
    throw new LockError('config', `startNode has no option ${JSON.stringify(unknown)}; it has ${Object.keys(OPTIONS).join(', ')}`);
  }
}

/** A Lamport clock begins at the wall clock, the highest one becomes everybody's, and none ever falls again. */
function refuseWrongWallClock(wallClockUs: number): void {
  if (wallClockUs <= WALL_CLOCK_US_MAX) return;
  const date = new Date(wallClockUs / 1000).toISOString().replace(/T.*/, '');
  throw new LockError(
    'config',
    `this machine's wall clock says ${date}. Set it right and start again: a node that starts with it would raise the clocks of all nodes, for good`,
  );
}

async function openTrace(path: string, log: Logger, dataDirectory: DataDirectory): Promise<TraceWriter> {
  try {
    return TraceWriter.open(path, log);
  } catch (error) {
    await dataDirectory.close();
    throw error;
  }
}
