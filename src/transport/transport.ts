/**
 * How protocol messages reach other nodes. The runtime knows only this interface; gRPC implements it,
 * and so can an in-memory router. A transport may lose, repeat, delay and reorder messages (the
 * protocol heals that) and must never deliver one that was not validated.
 */
import type { RivalAnswer, Standing } from '../core/candidacy';
import type { LamportTime, Message, NodeId } from '../core/messages';

/** What a node must hear of peers that may serve under another configuration (protocol.md section 17.1). */
export interface RivalHandlers {
  /** The peer is dialled; what it answers, it says after this. The dial ends with `peerUp`, `dialFailed` or `rivalAnswered`. */
  dialStarts(peer: NodeId): void;
  /** It cannot be reached, or there is no talking to it. */
  dialFailed(peer: NodeId): void;
  /** It was dialled, and runs under another configuration of this cluster. */
  rivalAnswered(peer: NodeId, answer: RivalAnswer): void;
  /** Somebody who claims to be the peer, under another configuration, dialled this node. */
  strangerCalled(peer: NodeId): void;
  /** What to say of this node in a handshake. */
  standing(): Standing;
  /** And how often it has begun to lend in this life. */
  begins(): number;
}

/** What a peer says of itself in its handshake. */
export interface Greeting {
  /** Its Lamport clock. */
  readonly clock: LamportTime;
  /** For how much longer it lends no vote. */
  readonly silentForMs: number;
  /** It knows which clock values it has used. */
  readonly knowsClock: boolean;
  /** It knows of an earlier life, of its own or of this node. Default false. */
  readonly knowsEarlierLife?: boolean;
}

export interface TransportHandlers {
  /** A validated message of a peer. Messages of one frame come one after another, in order. */
  message(from: NodeId, message: Message): void;
  /** A stream to the peer works. */
  peerUp(peer: NodeId, greeting: Greeting): void;
  /** The stream to the peer ended or its keepalive was missed. */
  peerDown(peer: NodeId, reason: string): void;
  /** It was down before, and could not be reached again; why. */
  stillDown?(peer: NodeId, reason: string): void;
  /** The peer refused this process, for it is connected to another one of this id. `peerUp` of this peer says that it no longer is. */
  namesake(peer: NodeId): void;
  /** The Lamport clock to put into a handshake; never above the ceiling on disk. */
  clock(): LamportTime;
  /** No clock of a peer above this is believed, in no frame (protocol.md section 3.3). */
  clockMax(): LamportTime;
  /** A peer that this node dialled tells a clock above that, and was refused. */
  clockRefused(peer: NodeId, clock: LamportTime): void;
  /** For how much longer this node lends no vote, for a handshake. */
  silentForMs(): number;
  /** Whether it knows which clock values it has used, for a handshake. */
  knowsClock(): boolean;
  /**
   * Why this node can say nothing, or null when it can. A node that is mute must not look alive: its peers would wait for it
   * beside a healthy quorum (protocol.md section 17).
   */
  muteReason(): string | null;
  /** For a node that looks out for peers under other configurations; without them it has no standing. */
  readonly rivals?: RivalHandlers;
}

export interface Transport {
  /** Begin to connect and to accept. Called once. */
  start(handlers: TransportHandlers): void;
  /** Hand over a message. Never throws for a peer that is down or slow: the message is dropped. */
  send(to: NodeId, message: Message): void;
  /** Dial every peer that is not connected, now and not when it is due. */
  probe?(): void;
  /** End every stream, and dial anew: what the handshake says has changed. */
  greetAgain?(reason: string): void;
  /** Send what is buffered, end every stream so that peers notice at once, and close. */
  stop(): Promise<void>;
}

/** What a node knows of one of its peers. */
export interface PeerStatus {
  readonly id: NodeId;
  readonly address: string;
  readonly up: boolean;
  /** Why it is down. */
  readonly reason?: string;
  /** Messages dropped because it reads too slowly. */
  readonly droppedMessages: number;
}

/** Mutual TLS between nodes, and with clients. */
export interface TlsFiles {
  /** PEM: this node's certificate; its CN or a DNS name in it is the node id. */
  readonly certFile: string;
  /** PEM: the private key of the certificate. */
  readonly keyFile: string;
  /** PEM: the authority that signed the certificates of all nodes. */
  readonly caFile: string;
}
