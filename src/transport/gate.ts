/**
 * Who gets in: takes a connection that was made to a node, agrees on TLS with it, and hands it to gRPC or refuses it.
 * Law: whoever is not let in is told why, in the words of gRPC and of bounded number; nobody keeps a connection by saying
 * nothing; and clients, however many, never keep a peer out that its certificate shows to be one. Without certificates
 * places for all peers are counted beside those of clients.
 */
import { createServer as createHttp2Server } from 'node:http2';
import type { Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { Server as TlsServer, TLSSocket } from 'node:tls';
import { status } from '@grpc/grpc-js';
import type { NodeId } from '../core/messages';
import type { Logger } from '../log';
import { opensslReason } from './connection-fault';
import { NewsLog } from './news-log';
import { certificateNames, secureContextOptions } from './tls';
import type { TlsMaterial } from './tls';

export interface GateOptions {
  /** For messages: `node n1`. */
  readonly title: string;
  /** The other nodes, which the limit does not concern. */
  readonly peers: readonly NodeId[];
  readonly connectionsMax: number;
  readonly tls: TlsMaterial | undefined;
  readonly log: Logger;
  /** Takes over a connection. */
  readonly admit: (socket: Socket) => void;
  /** Default `handshakeMs`. */
  readonly handshakeMs?: number;
}

/** From the connection to the end of the TLS handshake. */
export const handshakeMs = 10_000;

/** A connection that is refused has so long to ask, and to hear why. */
const REFUSED_MS = 2_000;
/** More are not told why. */
const REFUSED_MAX = 50;

/** Each peer has its stream, and its questions as a client. Without TLS nobody can tell it from other clients. */
const PLACES_PER_PEER = 2;

/** What is open beyond the limit of clients: peers, handshakes, and those that are being refused. */
const SPARE = 100;
const SPARE_PER_PEER = 4;

/** The first byte of a TLS handshake. */
const TLS_HANDSHAKE = 0x16;

interface Refused {
  readonly code: status;
  readonly reason: string;
}

export class Gate {
  private readonly sockets = new Set<Socket>();
  /** Those that have not agreed on TLS yet, the oldest first, by the address and port of the other side. */
  private readonly strangers = new Map<string, Socket>();
  private clients = 0;
  private beingRefused = 0;
  private readonly tlsServer: TlsServer | null;
  private readonly refuser = createHttp2Server({ settings: { maxConcurrentStreams: 10 } });
  private readonly news: NewsLog;

  constructor(private readonly options: GateOptions) {
    this.news = new NewsLog(options.log);
    this.refuser.on('sessionError', () => undefined);
    this.tlsServer = options.tls === undefined ? null : this.secured(options.tls);
  }

  /** A connection was made. */
  receive(socket: Socket): void {
    const { connectionsMax, peers } = this.options;
    socket.on('error', () => undefined);
    if (this.sockets.size >= connectionsMax + SPARE + SPARE_PER_PEER * peers.length) {
      // A peer says at once who it is. Whoever has said nothing for longest makes way.
      const [oldest] = this.strangers;
      const closed = oldest?.[1] ?? socket;
      this.news.warn({ address: addressOf(closed) }, 'closed a connection unheard, for there are too many');
      closed.destroy();
      if (oldest === undefined) return;
      this.forget(...oldest);
    }
    const end = otherEnd(socket);
    this.sockets.add(socket);
    socket.once('close', () => this.forget(end, socket));
    const { tlsServer } = this;
    if (tlsServer === null) this.admitClient(socket);
    else this.expectTls(socket, end, tlsServer);
  }

  /** New connections use these. */
  renew(tls: TlsMaterial): void {
    this.tlsServer?.setSecureContext(secureContextOptions(tls));
  }

  /** Ends all that is left. */
  destroy(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  private secured(tls: TlsMaterial): TlsServer {
    const server = createTlsServer({
      ...secureContextOptions(tls),
      requestCert: true,
      // OpenSSL would close the connection without a word. It is refused below, and told why.
      rejectUnauthorized: false,
      ALPNProtocols: ['h2'],
      handshakeTimeout: this.options.handshakeMs ?? handshakeMs,
    });
    server.on('secureConnection', (socket) => this.onSecured(socket));
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.news.warn({ reason: handshakeFault(error) }, 'refused a TLS connection');
      socket.destroy();
    });
    return server;
  }

  private forget(end: string, socket: Socket): void {
    this.sockets.delete(socket);
    if (this.strangers.get(end) === socket) this.strangers.delete(end);
  }

  /** Somebody without TLS hears what is missing, and not only noise. */
  private expectTls(socket: Socket, end: string, tlsServer: TlsServer): void {
    this.strangers.set(end, socket);
    const silent = setTimeout(() => socket.destroy(), this.options.handshakeMs ?? handshakeMs).unref();
    socket.once('close', () => clearTimeout(silent));
    socket.once('data', (bytes: Buffer) => {
      clearTimeout(silent);
      socket.pause();
      socket.unshift(bytes);
      if (bytes[0] === TLS_HANDSHAKE) tlsServer.emit('connection', socket);
      else this.refuse(socket, { code: status.UNAUTHENTICATED, reason: `${this.options.title} speaks TLS only. Give --tls-cert, --tls-key and --tls-ca (connect: tls)` });
    });
  }

  private onSecured(socket: TLSSocket): void {
    socket.on('error', () => undefined);
    this.strangers.delete(otherEnd(socket));
    // What is refused without a word here offered another protocol than HTTP/2, or none.
    if (socket.alpnProtocol !== 'h2') return void socket.destroy();
    const certificate = socket.getPeerCertificate();
    if (!socket.authorized) {
      const isShown = Object.keys(certificate).length > 0;
      const code = String(socket.authorizationError);
      const reason = isShown ? `${this.options.title} refuses the certificate given here: ${refusalOf(code)}` : `${this.options.title} asks for a certificate. Give --tls-cert and --tls-key (connect: tls)`;
      return this.refuse(socket, { code: status.UNAUTHENTICATED, reason });
    }
    const isPeer = certificateNames(certificate).some((name) => this.options.peers.includes(name));
    if (isPeer) this.options.admit(socket);
    else this.admitClient(socket);
  }

  private admitClient(socket: Socket): void {
    const { connectionsMax, peers, title, admit } = this.options;
    const places = connectionsMax + (this.tlsServer === null ? PLACES_PER_PEER * peers.length : 0);
    if (this.clients >= places) {
      return this.refuse(socket, { code: status.UNAVAILABLE, reason: `${title} has as many connections as it allows (${connectionsMax}). Ask another node, or let it allow more (--max-connections)` });
    }
    this.clients++;
    socket.once('close', () => this.clients--);
    admit(socket);
  }

  /** Answers whatever it asks with the reason, and ends it. */
  private refuse(socket: Socket, { code, reason }: Refused): void {
    this.news.warn({ address: addressOf(socket), reason }, 'refused a connection');
    if (this.beingRefused >= REFUSED_MAX) return void socket.destroy();
    this.beingRefused++;
    const over = setTimeout(() => socket.destroy(), REFUSED_MS).unref();
    socket.once('close', () => {
      clearTimeout(over);
      this.beingRefused--;
    });
    this.refuser.once('session', (session) => {
      session.on('error', () => undefined);
      session.on('stream', (stream) => {
        stream.on('error', () => undefined);
        stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': String(code), 'grpc-message': encodeURI(reason) }, { endStream: true });
      });
    });
    this.refuser.emit('connection', socket);
  }
}

/** Why there was no agreement on TLS. */
function handshakeFault({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ECONNRESET':
      return 'the other side broke off the TLS handshake; perhaps it refuses the certificate of this node';
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
      return 'the TLS handshake took too long';
    default:
      return opensslReason(message);
  }
}

/** OpenSSL's word for what is wrong with a certificate, as people say it. */
function refusalOf(code: string): string {
  switch (code) {
    case 'CERT_HAS_EXPIRED':
      return 'it has expired, or its authority has';
    case 'CERT_NOT_YET_VALID':
      return 'it is not valid yet, or a clock is wrong';
    case 'INVALID_PURPOSE':
      return 'it may not be used for clients (extendedKeyUsage)';
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_SIGNATURE_FAILURE':
      return 'it was signed by another authority than those that the node trusts';
    default:
      return code;
  }
}

function otherEnd(socket: Socket): string {
  return `${addressOf(socket)} ${socket.remotePort ?? ''}`;
}

function addressOf(socket: Socket): string {
  return socket.remoteAddress ?? 'unknown';
}
