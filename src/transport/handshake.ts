/**
 * Whether two nodes may talk to each other. Pure. Law: a refusal names both values, so that it can be
 * understood from the log of either node. Source: protocol.md section 17.
 */
import { status } from '@grpc/grpc-js';
import type { LamportTime, NodeId } from '../core/messages';
import { lamportTimeFault, protocolVersion, type Hello } from './codec';

/** This node, as far as a handshake goes. */
export interface Identity {
  readonly self: NodeId;
  readonly cluster: string;
  readonly digest: string;
  readonly layout: string;
  readonly leaseMs: number;
  /** This node ran before: its data directory says so. */
  readonly remembers: boolean;
  /** Random, new in each life of the node. */
  readonly incarnation: string;
  /** Every node of the configuration. */
  readonly nodes: ReadonlySet<NodeId>;
}

/** Why a stream ends, for the other side. */
export interface Refusal {
  readonly code: status;
  readonly reason: string;
}

/**
 * Why a peer that says this must be refused; or null.
 * @param dialled the node that we dialled; null when the peer dialled us
 */
export function helloRefusal(hello: Hello, mine: Identity, dialled: NodeId | null): Refusal | null {
  const { self } = mine;
  const node = quote(hello.node);
  if (hello.protocolVersion !== protocolVersion) {
    return differs(`protocol version differs: ${self} speaks ${protocolVersion}, ${node} speaks ${hello.protocolVersion}`);
  }
  if (hello.cluster !== mine.cluster) {
    return differs(`cluster differs: ${self} is in ${quote(mine.cluster)}, ${node} in ${quote(hello.cluster)}`);
  }
  if (hello.digest !== mine.digest) {
    return differs(
      `configuration differs: ${self} has digest ${quote(mine.digest)}, ${node} has ${quote(hello.digest)}; ` +
        `nodes, quorums, lease, drift and change must be the same on all nodes${hello.layout === mine.layout ? ' (nodes and quorums are)' : ''}`,
    );
  }
  if (dialled !== null && hello.node !== dialled) return impostor(`${self} dialled ${dialled}, but ${node} answered; check the address of ${dialled}`);
  if (hello.peer !== self) return impostor(`${node} dialled ${quote(hello.peer)}, but ${self} is here; check the address of ${quote(hello.peer)}`);
  if (hello.node === self) return impostor(`${self} was dialled by a node that claims to be ${self} too; ids must be unique`);
  if (!mine.nodes.has(hello.node)) return impostor(`${node} is not a node of the configuration of ${self}`);
  if (hello.incarnation === '') return { code: status.INVALID_ARGUMENT, reason: 'incarnation is missing' };
  const clockFault = lamportTimeFault('clock', hello.clock);
  return clockFault === null ? null : { code: status.INVALID_ARGUMENT, reason: clockFault };
}

/** Why a clock of this peer is not believed (protocol.md section 3.3); or null. */
export function clockRefusal(peer: NodeId, clock: LamportTime, self: NodeId, clockMax: LamportTime): Refusal | null {
  if (clock <= clockMax) return null;
  const furtherHours = (clock - clockMax) / 3_600_000_000;
  const further = furtherHours < 48 ? `${furtherHours.toFixed(1)} hours` : `${(furtherHours / 24).toFixed(0)} days`;
  return differs(
    `the clock of ${peer} is further ahead of the clocks of ${self} than a day and 32 leases, by ${further} more; ` +
      `set the wall clocks of both machines right. docs/protocol.md section 3.3 says what to do then`,
  );
}

/**
 * Whether it is the node that we dialled, of this cluster, under another configuration: one that may lend votes for the same
 * locks (protocol.md section 17.1).
 */
export function isRival(hello: Hello, mine: Identity, dialled: NodeId): boolean {
  return hello.protocolVersion === protocolVersion && hello.cluster === mine.cluster && hello.node === dialled && hello.digest !== mine.digest;
}

/** What the peer said last will not change by itself: try again slowly. */
export function isLasting(code: status): boolean {
  switch (code) {
    case status.FAILED_PRECONDITION:
    case status.PERMISSION_DENIED:
    case status.INVALID_ARGUMENT:
    case status.UNIMPLEMENTED:
      return true;
    default:
      return false;
  }
}

function differs(reason: string): Refusal {
  return { code: status.FAILED_PRECONDITION, reason };
}

function impostor(reason: string): Refusal {
  return { code: status.PERMISSION_DENIED, reason };
}

/** Text of a peer goes into a status, which takes well-formed strings only, and into logs. */
function quote(text: string): string {
  return /^[\w.:-]{1,128}$/.test(text) ? text : JSON.stringify(text.slice(0, 128));
}
