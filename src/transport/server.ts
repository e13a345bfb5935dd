/**
 * The gRPC server of a node, which carries the peer and the client service. Law: nobody beyond this
 * machine is listened to without TLS unless the user said so.
 */
import { lookup } from 'node:dns/promises';
import { createServer as createTcpServer } from 'node:net';
import type { AddressInfo, Server as TcpServer, Socket } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { LockError } from '../errors';
import type { NodeId } from '../core/messages';
import { silentLog } from '../log';
import type { Logger } from '../log';
import { frameBytesMax } from './codec';
import { connectionsMaxDefault } from './descriptors';
import { Gate } from './gate';
import type { TlsMaterial, TlsSource } from './tls';

export interface ListenOptions {
  /** This node, for messages. */
  readonly self?: NodeId;
  /** All other nodes, which no limit keeps out when their certificates show who they are. */
  readonly peers?: readonly NodeId[];
  /** Both sides must show a certificate of the same authority. */
  readonly tls?: TlsSource;
  /** Allow other machines to connect without TLS. */
  readonly insecure?: boolean;
  /** So many clients may be connected at once. Default `connectionsMaxDefault`. */
  readonly connectionsMax?: number;
  /** How long a TLS handshake may take. Default 10 seconds. */
  readonly handshakeMs?: number;
  readonly log?: Logger;
}

/**
 * So many calls may be open at once over one connection. A program that opens thousands in one go would else
 * keep the event loop busy for seconds, and peers and other clients would take this node for dead.
 */
export const callsPerConnectionMax = 1_100;

/** A connection over which nothing is called for so long is closed. */
export const connectionIdleMs = 10_000;

/** A server without services that listens nowhere yet. The interceptors see each call before its service does. */
export function createServer(...interceptors: grpc.ServerInterceptor[]): grpc.Server {
  return new grpc.Server({
    interceptors,
    // A frame of a peer is the longest message that anybody sends (a client's is a tenth): what is not whole yet stays in memory.
    'grpc.max_receive_message_length': frameBytesMax,
    'grpc.enable_channelz': 0,
    'grpc.max_concurrent_streams': callsPerConnectionMax,
    // The transport notices a dead peer within two seconds; this frees what its connection held.
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    // A client of gRPC that could not connect may do so once more after it was closed, and forgets that connection.
    'grpc.max_connection_idle_ms': connectionIdleMs,
  });
}

/** Calls that were ended have so long to tell the other side. */
const lastWordsMs = 100;

/** Where a server listens. */
export interface Listening {
  readonly port: number;
  /** New connections use these certificates. */
  renew(tls: TlsMaterial): void;
  /** Listen no more and end every connection, so that nothing keeps the process. */
  stop(): void;
}

/**
 * Listen on `address`, `host:port`; port 0 takes a free one. The sockets are this process's alone: of several workers of
 * `node:cluster`, which would share them, one listens and the others are refused, for two of one id must never both vote.
 * @throws LockError `config` for an address that is none, or that other machines could reach without TLS; `unreachable` when
 * the address is in use or not this machine's.
 */
export async function listen(server: grpc.Server, address: string, options: ListenOptions = {}): Promise<Listening> {
  const { host, port: wanted } = parseAddress(address);
  const ips = await resolve(host, address);
  const { tls } = options;
  if (tls === undefined && options.insecure !== true && !ips.every(isLoopback)) {
    throw new LockError(
      'config',
      `listening on ${address} without TLS lets anybody who can reach it take and steal locks. ` +
        'Give TLS files (--tls-cert, --tls-key, --tls-ca; startNode: tls), or allow it with --insecure (startNode: insecure), or listen on 127.0.0.1',
    );
  }
  // The gate speaks TLS: gRPC gets connections that are let in.
  const injector = server.createConnectionInjector(grpc.ServerCredentials.createInsecure());
  const { self, peers = [], connectionsMax = connectionsMaxDefault, log = silentLog } = options;
  const gate = new Gate({
    title: self === undefined ? 'the node' : `node ${self}`, peers, connectionsMax, log, tls: tls?.material,
    admit: (socket) => injector.injectConnection(socket),
    ...(options.handshakeMs === undefined ? {} : { handshakeMs: options.handshakeMs }),
  });
  const listeners: TcpServer[] = [];
  const close = (): void => {
    for (const each of listeners) each.close();
  };
  let port = wanted;
  let absent: NodeJS.ErrnoException | undefined;
  // A name may mean several addresses; those that are not this machine's are left out if any is.
  for (const ip of new Set(ips)) {
    try {
      const listener = await bind(ip, port, (socket) => gate.receive(socket));
      listeners.push(listener);
      ({ port } = listener.address() as AddressInfo);
    } catch (cause) {
      const fault = cause as NodeJS.ErrnoException;
      if (fault.code === 'EADDRNOTAVAIL') {
        absent = fault;
        continue;
      }
      close();
      throw cannotListen(address, fault);
    }
  }
  if (listeners.length === 0) throw cannotListen(address, absent ?? new Error('the name means no address'));
  return {
    port,
    renew: (material) => gate.renew(material),
    stop: () => {
      close();
      injector.drain(lastWordsMs);
      server.forceShutdown();
      // Those with which nothing was agreed yet: gRPC knows nothing of them.
      setTimeout(() => gate.destroy(), lastWordsMs);
    },
  };
}

function bind(host: string, port: number, onConnection: (socket: Socket) => void): Promise<TcpServer> {
  return new Promise((resolveServer, reject) => {
    const listener = createTcpServer(onConnection);
    listener.once('error', reject);
    listener.listen({ host, port, exclusive: true }, () => {
      listener.off('error', reject);
      resolveServer(listener);
    });
  });
}

function cannotListen(address: string, fault: NodeJS.ErrnoException): LockError {
  return new LockError('unreachable', `cannot listen on ${address}: ${explain(fault)}`, { cause: fault });
}

function parseAddress(address: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(address);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new LockError('config', `"${address}" is not an address to listen on; write host:port, for example 127.0.0.1:7001`);
  }
  return { host, port };
}

async function resolve(host: string, address: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map((entry) => entry.address);
  } catch (cause) {
    throw new LockError('config', `cannot listen on ${address}: this machine does not know the name ${host}. Check it, or give an IP address`, { cause });
  }
}

function isLoopback(ip: string): boolean {
  return ip.startsWith('127.') || ip === '::1' || ip.startsWith('::ffff:127.');
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'the port is in use; stop the process that uses it, or choose another with --listen (startNode: listen)';
    case 'EADDRNOTAVAIL':
      return 'the address is not one of this machine; choose another with --listen (startNode: listen)';
    case 'EACCES':
      return 'this user may not open the port; choose one above 1023';
    default:
      return message;
  }
}
