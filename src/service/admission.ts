/**
 * The door of the services for clients: every call passes it before anything is done for it, whichever service it is for.
 * Law: a call that is let in is counted until its stream is over, and one that is refused is told which limit is in the way.
 */
import * as grpc from '@grpc/grpc-js';
import { healthWatch } from '../client-protocol/discovery';
import { locksMethods } from '../client-protocol/schema';
import { peerService } from '../transport/peer-stream';
import { Budget, HALF, NINE_TENTHS } from './budget';
import { Connections } from './connections';
import type { Connection } from './connections';
import { FairTurns } from './fair-turns';
import type { ClientLimits } from './limits';

/** The name of a cluster in base64, and what tools add. */
const METADATA_BYTES_MAX = 2 ** 13;

/** One carries all locks of a client. */
const SESSIONS_PER_CONNECTION = 1_000;

export class Admission {
  /** Bytes of answers that were not read yet. */
  readonly unread: Budget;
  /** Locks wanted, held, or kept for a client whose stream broke. */
  readonly locks: Budget;
  /** In which calls begin, and watchers are told. */
  readonly turns = new FairTurns<Connection>();
  private readonly connections = new Connections();
  /** Streams of locks: one lives on when its lock is given back and the client does not read that. */
  private readonly holds: Budget;
  /** Streams of sessions. */
  private readonly sessions: Budget;
  private readonly watches: Budget;
  private readonly calls: Budget;
  /** Of use to a person with a tool, and each may have much to send. */
  private readonly reflections = new Budget({ what: 'calls for reflection', perConnection: 5, perNode: 50, addressShare: HALF, advice: 'end some' });

  constructor(readonly limits: ClientLimits) {
    const locks = {
      what: 'locks wanted or held', perConnection: limits.locksPerConnection, perNode: limits.locksPerNode, addressShare: NINE_TENTHS,
      advice: 'release some, or open another connection',
    };
    this.locks = new Budget(locks);
    this.holds = new Budget(locks);
    this.sessions = new Budget({
      what: 'sessions', perConnection: SESSIONS_PER_CONNECTION, perNode: limits.sessionsPerNode, addressShare: NINE_TENTHS,
      advice: 'end some; one carries all locks of a client',
    });
    this.watches = new Budget({
      what: 'watches', perConnection: limits.watchesPerConnection, perNode: limits.watchesPerNode, addressShare: HALF,
      advice: 'end some',
    });
    this.calls = new Budget({
      what: 'calls under way', perConnection: limits.callsPerConnection, perNode: limits.callsPerNode, addressShare: HALF,
      advice: 'read the answers first',
    });
    this.unread = new Budget({
      what: 'bytes of answers that were not read', perConnection: limits.unreadBytesPerConnection, perNode: limits.unreadBytesPerNode, addressShare: HALF,
      advice: 'read them first',
    });
  }

  /** The connection of a call that was let in. */
  connectionOf(call: { getPeer(): string }): Connection {
    return this.connections.of(call.getPeer());
  }

  readonly interceptor: grpc.ServerInterceptor = ({ path }, call) => {
    // Peers have a handshake of their own, and one stream each.
    if (path === peerService.connect.path) return new grpc.ServerInterceptingCall(call);
    return new grpc.ServerInterceptingCall(call, { start: (next) => this.begin(path, call, next) });
  };

  private begin(path: string, call: grpc.ServerInterceptingCallInterface, next: (listener: grpc.ServerListener) => void): void {
    const connection = this.connections.of(call.getPeer());
    const budget = this.budgetOf(path);
    const fault = budget.fault(connection) ?? (budget === this.calls ? this.unread.fault(connection) : null);
    if (fault !== null) return call.sendStatus(fault);
    connection.begin();
    const giveBack = budget.take(connection);
    const end = (): void => {
      giveBack();
      connection.end();
    };
    this.turns.run(connection, () => {
      let isBegun = false;
      next({
        onReceiveMetadata: (metadata, proceed) => {
          isBegun = true;
          if (metadataBytes(metadata) <= METADATA_BYTES_MAX) return proceed(metadata);
          // It would be kept for as long as the call is.
          call.sendStatus({ code: grpc.status.RESOURCE_EXHAUSTED, details: `the metadata of the call has more than ${METADATA_BYTES_MAX} bytes` });
        },
        // Told once, when the stream is over or its status has left.
        onCancel: end,
      });
      // gRPC begins no call that the client has taken back, and says nothing of its end.
      if (!isBegun) end();
    });
  }

  private budgetOf(path: string): Budget {
    const { Hold, Session, Watch, Observe } = locksMethods();
    if (path === Session.path) return this.sessions;
    if (path === Hold.path) return this.holds;
    if (path === Watch.path || path === Observe.path || path === healthWatch().path) return this.watches;
    return path.startsWith('/grpc.reflection.') ? this.reflections : this.calls;
  }
}

function metadataBytes(metadata: grpc.Metadata): number {
  let bytes = 0;
  for (const [key, values] of Object.entries(metadata.toHttp2Headers())) {
    for (const value of [values].flat()) bytes += key.length + String(value).length;
  }
  return bytes;
}
