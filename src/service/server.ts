/**
 * The client service: holds locks of this node for programs that are no nodes (see `ServedHold`), and
 * tells them who holds what. Law: no client, however many streams it opens and however little it reads,
 * keeps the node from its other work.
 */
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { LockName } from '../core';
import type { NodeLockManager } from '../locks/lock-manager';
import { CLUSTER_KEY, lockInfoMessage, wireChange } from '../client-protocol/wire-words';
import { callsPerConnectionMax } from '../transport/server';
import { ServedHold, readName } from './served-hold';
import type { HoldCall } from './served-hold';
import { Connections } from './connections';
import { queryReply, statusReply } from './replies';
import type { ServedNode } from './served-node';
import { locksMethods } from '../client-protocol/schema';
import type { Malformed, QueryReply, QueryRequest, StatusReply, WatchEventMessage, WatchRequest } from '../client-protocol/schema';

type QueryCall = grpc.ServerUnaryCall<QueryRequest | Malformed, QueryReply>;
type WatchCall = grpc.ServerWritableStream<WatchRequest | Malformed, WatchEventMessage>;

/**
 * So many locks may be wanted and held at once over one connection. What is left of its calls is for the
 * answer to those who ask for more: waiting unheard for a free call, they could wait for themselves.
 */
const HOLDS_PER_CONNECTION_MAX = callsPerConnectionMax - 100;

/** What a client has not read yet of what it watches. */
const WATCH_BACKLOG_MAX = 1_000;

/** How long clients get to give their locks back when the node stops. */
const CLIENTS_DRAIN_MS = 500;

export interface LocksService {
  /**
   * The node is about to stop: tell every client, and wait a moment for what they give back. Returns
   * the names of the locks that clients may still use; nobody may release these, their lease ends them.
   */
  drain(): Promise<ReadonlySet<LockName>>;
}

/** Let `server` answer clients for `node`. */
export function addLocksService(server: grpc.Server, node: ServedNode, locks: NodeLockManager): LocksService {
  const holds = new Set<ServedHold>();
  const watches = new Set<WatchCall>();
  const connections = new Connections();
  let isDraining = false;
  const { cluster } = node.configuration;
  /** Why a client that means another cluster is refused: a lock of this one would protect nothing of that one. */
  const otherCluster = (metadata: grpc.Metadata): string | null => {
    const [meant] = metadata.get(CLUSTER_KEY);
    if (meant === undefined || meant.toString() === cluster) return null;
    return `cluster differs: node ${node.id} is in ${JSON.stringify(cluster)}, the client means ${JSON.stringify(meant.toString().slice(0, 128))}`;
  };
  const streaming = <Call extends HoldCall | WatchCall>(handle: (call: Call) => void) => (call: Call): void => {
    const fault = otherCluster(call.metadata);
    if (fault === null) handle(call);
    else refuse(call, grpc.status.FAILED_PRECONDITION, fault);
  };
  const unary = <Question, Reply>(handle: grpc.handleUnaryCall<Question, Reply>): grpc.handleUnaryCall<Question, Reply> => (call, reply) => {
    const fault = otherCluster(call.metadata);
    if (fault === null) handle(call, reply);
    else reply({ code: grpc.status.FAILED_PRECONDITION, details: fault });
  };
  const { Hold, Query, Watch, Status } = locksMethods();
  server.addService(
    { Hold, Query, Watch, Status },
    {
      Hold: streaming((call: HoldCall) => {
        const connection = connections.of(call.getPeer());
        if (connection.holds >= HOLDS_PER_CONNECTION_MAX) {
          return refuse(call, grpc.status.RESOURCE_EXHAUSTED, `this connection wants or holds ${HOLDS_PER_CONNECTION_MAX} locks already, which is the most; release some, or open another connection`);
        }
        connection.begin();
        call.once('close', () => connection.end());
        const hold: ServedHold = new ServedHold(call, node, locks, `${node.id}/${connection.number}`, () => holds.delete(hold));
        holds.add(hold);
        if (isDraining) hold.stop();
      }),
      Query: unary((call: QueryCall, reply: grpc.sendUnaryData<QueryReply>) => {
        const scope = 'cluster' in call.request && call.request.cluster ? 'cluster' : 'node';
        locks.query({ scope }).then((snapshot) => reply(null, queryReply(snapshot)), (error: unknown) => reply(error as Error));
      }),
      Watch: streaming((call: WatchCall) => {
        watches.add(call);
        call.once('close', () => watches.delete(call));
        if (isDraining) return refuse(call, grpc.status.UNAVAILABLE, `node ${node.id} is stopping`);
        watch(call, locks);
      }),
      Status: unary((_call: grpc.ServerUnaryCall<object, StatusReply>, reply) => reply(null, statusReply(node))),
    },
  );
  return {
    drain: async () => {
      isDraining = true;
      for (const call of watches) refuse(call, grpc.status.UNAVAILABLE, `node ${node.id} is stopping`);
      for (const hold of [...holds]) hold.stop();
      const untilMs = performance.now() + CLIENTS_DRAIN_MS;
      while (holds.size + watches.size > 0 && performance.now() < untilMs) await setTimeoutPromise(10);
      return new Set([...holds].flatMap((hold) => hold.heldName ?? []));
    },
  };
}

function watch(call: WatchCall, locks: NodeLockManager): void {
  const read = readName('lock' in call.request ? call.request.lock : undefined);
  if ('fault' in read) return refuse(call, grpc.status.INVALID_ARGUMENT, read.fault);
  const stop = locks.watch(read.name, ({ change, lock }) => {
    // The node stops. Written after that, a change would break the stream, and its status would never be sent.
    if (call.writableEnded) return stop();
    if (call.writableLength < WATCH_BACKLOG_MAX) {
      call.write({ change: wireChange(change), lock: lockInfoMessage(lock) });
      return;
    }
    stop();
    refuse(call, grpc.status.RESOURCE_EXHAUSTED, `the client has not read ${WATCH_BACKLOG_MAX} changes; watch again to begin with the present holders`);
  });
  call.once('close', stop);
}

/** End a stream with this status. */
function refuse(call: HoldCall | WatchCall, code: grpc.status, details: string): void {
  call.emit('error', { code, details });
}
