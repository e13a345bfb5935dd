/**
 * The client service: holds locks of this node for programs that are no nodes (see `ServedHold` and `SessionHost`), and
 * tells them who holds what. Law: no client, however many streams it opens and however little it reads,
 * keeps the node from its other work.
 */
import { setTimeout as setTimeoutPromise } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import type { LockName } from '../core';
import { LockError } from '../errors';
import type { NodeLockManager } from '../locks/lock-manager';
import { CLUSTER_KEY } from '../client-protocol/wire-words';
import type { Admission } from './admission';
import { readName } from './acquire';
import { ServedHold } from './served-hold';
import type { HoldCall } from './served-hold';
import { ServedObserve } from './served-observe';
import type { ObserveCall } from './served-observe';
import { ServedWatch } from './served-watch';
import type { WatchCall } from './served-watch';
import { BAD_TOKEN, ServedQueries, bytesOfQuery, bytesOfStatus } from './served-queries';
import { refuse } from './refuse';
import type { ServedNode } from './served-node';
import type { SessionCall } from './session-host';
import { Sessions } from './sessions';
import { locksMethods } from '../client-protocol/schema';
import type { Malformed, QueryReply, QueryRequest, StatusReply, StatusRequest } from '../client-protocol/schema';

type QueryCall = grpc.ServerUnaryCall<QueryRequest | Malformed, QueryReply>;
type StatusCall = grpc.ServerUnaryCall<StatusRequest | Malformed, StatusReply>;

const malformed = { code: grpc.status.INVALID_ARGUMENT, details: 'the message cannot be decoded' };

/** How long clients get to give their locks back when the node stops. */
const CLIENTS_DRAIN_MS = 500;

export interface LocksService {
  /** Whether a lock can be had through the node; clients are told. True until this is called. */
  setServing(isServing: boolean): void;
  /**
   * The node is about to stop: tell every client, and wait a moment for what they give back. Returns
   * the names of the locks that clients may still use; nobody may release these, their lease ends them.
   */
  drain(): Promise<ReadonlySet<LockName>>;
}

/** Let `server`, at whose door stands `admission`, answer clients for `node`. */
export function addLocksService(server: grpc.Server, node: ServedNode, locks: NodeLockManager, admission: Admission): LocksService {
  const holds = new Set<ServedHold>();
  const followers = new Set<ServedWatch | ServedObserve>();
  let isServing = true;
  const sessions = new Sessions({ node, locks, admission, isServing: () => isServing });
  const queries = new ServedQueries(node, locks);
  let isDraining = false;
  const { cluster } = node.configuration;
  /** Why a client that means another cluster is refused: a lock of this one would protect nothing of that one. */
  const otherCluster = (metadata: grpc.Metadata): string | null => {
    const [meant] = metadata.get(CLUSTER_KEY);
    if (meant === undefined || meant.toString() === cluster) return null;
    return `cluster differs: node ${node.id} is in ${JSON.stringify(cluster)}, the client means ${JSON.stringify(meant.toString().slice(0, 128))}`;
  };
  const streaming = <Call extends HoldCall | SessionCall | WatchCall | ObserveCall>(handle: (call: Call) => void) => (call: Call): void => {
    const fault = otherCluster(call.metadata);
    if (fault === null) handle(call);
    else refuse(call, grpc.status.FAILED_PRECONDITION, fault);
  };
  /** A stream that tells of a lock until the client or this node ends it. */
  const following = <Call extends WatchCall | ObserveCall>(follow: (call: Call, name: LockName) => ServedWatch | ServedObserve) => streaming((call: Call) => {
    if (isDraining) return refuse(call, grpc.status.UNAVAILABLE, `node ${node.id} is stopping`);
    const read = readName('lock' in call.request ? call.request.lock : undefined);
    if ('fault' in read) return refuse(call, grpc.status.INVALID_ARGUMENT, read.fault);
    const follower = follow(call, read.name);
    followers.add(follower);
    for (const end of ['close', 'cancelled']) call.once(end, () => followers.delete(follower));
  });
  const unary = <Question, Reply>(handle: grpc.handleUnaryCall<Question, Reply>): grpc.handleUnaryCall<Question, Reply> => (call, reply) => {
    const fault = otherCluster(call.metadata);
    if (fault === null) handle(call, reply);
    else reply({ code: grpc.status.FAILED_PRECONDITION, details: fault });
  };
  /** Counts it until it was read. */
  const answerWith = <Question, Reply>(
    call: grpc.ServerUnaryCall<Question, Reply>, reply: grpc.sendUnaryData<Reply>, answer: Reply | null, bytesOf: (answer: Reply) => number,
  ): void => {
    if (answer === null) return reply({ code: grpc.status.INVALID_ARGUMENT, details: BAD_TOKEN });
    if (call.cancelled) return;
    const connection = admission.connectionOf(call);
    const bytes = bytesOf(answer);
    const fault = admission.unread.fault(connection, bytes);
    if (fault !== null) return reply(fault);
    call.once('cancelled', admission.unread.take(connection, bytes));
    reply(null, answer);
  };
  const { Hold, Session, Query, Watch, Observe, Status } = locksMethods();
  server.addService(
    { Hold, Session, Query, Watch, Observe, Status },
    {
      Hold: streaming((call: HoldCall) => {
        const connection = admission.connectionOf(call);
        const fault = admission.locks.fault(connection);
        if (fault !== null) return refuse(call, fault.code, fault.details);
        const giveBack = admission.locks.take(connection);
        const hold: ServedHold = new ServedHold(call, node, locks, `${node.id}/${connection.number}`, () => {
          giveBack();
          holds.delete(hold);
        });
        holds.add(hold);
        if (isDraining) hold.stop();
      }),
      Session: streaming((call: SessionCall) => sessions.accept(call)),
      Query: unary((call: QueryCall, reply: grpc.sendUnaryData<QueryReply>) => {
        if (!('pageToken' in call.request)) return reply(malformed);
        const { cluster: wholeCluster, pageToken, pageBytes: most, lock } = call.request;
        if (lock !== undefined) {
          const read = readName(lock);
          const problem = 'fault' in read ? read.fault : wholeCluster ? 'lock and cluster exclude each other' : null;
          if (problem !== null || 'fault' in read) return reply({ code: grpc.status.INVALID_ARGUMENT, details: problem ?? '' });
          return answerWith(call, reply, queries.ofLock(read.name, pageToken), bytesOfQuery);
        }
        const page = wholeCluster ? queries.cluster(pageToken) : queries.own(pageToken, most);
        page.then((answer) => answerWith(call, reply, answer, bytesOfQuery), (error: unknown) => reply(error as Error));
      }),
      Watch: following((call: WatchCall, name) => new ServedWatch(call, locks, name, admission)),
      Observe: following((call: ObserveCall, name) => new ServedObserve(call, locks, name, admission)),
      Status: unary((call: StatusCall, reply: grpc.sendUnaryData<StatusReply>) => {
        if (!('pageToken' in call.request)) return reply(malformed);
        answerWith(call, reply, queries.status(call.request.pageToken), bytesOfStatus);
      }),
    },
  );
  return {
    setServing: (serves) => {
      isServing = serves;
    },
    drain: async () => {
      isDraining = true;
      for (const follower of [...followers]) follower.end(grpc.status.UNAVAILABLE, `node ${node.id} is stopping`);
      for (const hold of [...holds]) hold.stop();
      sessions.stop(new LockError('closed', `node ${node.id} is stopping`));
      const untilMs = performance.now() + CLIENTS_DRAIN_MS;
      const areOpen = (): boolean => followers.size + sessions.inUse > 0 || [...holds].some((hold) => !hold.isKeptOn);
      while (areOpen() && performance.now() < untilMs) await setTimeoutPromise(10);
      return new Set([...[...holds].flatMap((hold) => hold.heldName ?? []), ...sessions.heldNames()]);
    },
  };
}
