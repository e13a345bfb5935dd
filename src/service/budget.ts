/**
 * How much of one thing clients use at this moment: over each connection, from each address, on the node. Law: nobody takes
 * more than his part, and what was given back is counted nowhere any more.
 */
import { status } from '@grpc/grpc-js';
import type { Connection } from './connections';

export interface BudgetSettings {
  /** What is counted, as the reason of a refusal names it: `locks wanted or held`. */
  readonly what: string;
  readonly perConnection: number;
  readonly perNode: number;
  /** Which share of that the clients at one address may have. */
  readonly addressShare: AddressShare;
  /** What to do about it. */
  readonly advice: string;
}

/** As numbers, and as a refusal names it. */
export interface AddressShare {
  readonly share: number;
  readonly words: string;
}

export const HALF: AddressShare = { share: 0.5, words: 'half' };
/** Of what many clients behind one address need, such as a fleet behind a proxy. Others are served by the rest. */
export const NINE_TENTHS: AddressShare = { share: 0.9, words: 'nine tenths' };

/** Why there is no room, as gRPC says it. */
export interface NoRoom {
  /** RESOURCE_EXHAUSTED: the client has its part. UNAVAILABLE: others have it, so that another node may serve this client, or this one later. */
  readonly code: status.RESOURCE_EXHAUSTED | status.UNAVAILABLE;
  readonly details: string;
}

export class Budget {
  private readonly byConnection = new Map<Connection, number>();
  private readonly byAddress = new Map<string, number>();
  private total = 0;

  constructor(private readonly settings: BudgetSettings) {}

  /** Why there is no room for so many more; or null. */
  fault(connection: Connection, amount = 1): NoRoom | null {
    const { what, perConnection, perNode, addressShare, advice } = this.settings;
    const perAddress = Math.ceil(perNode * addressShare.share);
    const isFull = (used: number, most: number): boolean => used > 0 && used + amount > most;
    if (isFull(this.byConnection.get(connection) ?? 0, perConnection)) return exhausted(`this connection has ${perConnection} ${what} already, which is the most; ${advice}`);
    if (isFull(this.byAddress.get(connection.address) ?? 0, perAddress)) return exhausted(`the clients at ${connection.address} have ${perAddress} ${what} already, ${addressShare.words} of what the node allows to all; ${advice}`);
    if (!isFull(this.total, perNode)) return null;
    return { code: status.UNAVAILABLE, details: `the clients of this node have ${perNode} ${what} already, which is the most; ask another node, or later` };
  }

  /** Returns how to give it back, once. */
  take(connection: Connection, amount = 1): () => void {
    this.add(connection, amount);
    let isTaken = true;
    return () => {
      if (isTaken) this.add(connection, -amount);
      isTaken = false;
    };
  }

  /** The same for what may move from one connection to another, so that no connection counts it. Why there is no room; null: it is taken. */
  takeMoving(connection: Connection): NoRoom | null {
    const fault = this.fault(connection);
    if (fault === null) this.addMoving(connection, 1);
    return fault;
  }

  giveBackMoving(connection: Connection): void {
    this.addMoving(connection, -1);
  }

  private add(connection: Connection, amount: number): void {
    addTo(this.byConnection, connection, amount);
    this.addMoving(connection, amount);
  }

  private addMoving(connection: Connection, amount: number): void {
    addTo(this.byAddress, connection.address, amount);
    this.total += amount;
  }
}

function exhausted(details: string): NoRoom {
  return { code: status.RESOURCE_EXHAUSTED, details };
}

function addTo<Key>(counts: Map<Key, number>, key: Key, amount: number): void {
  const count = (counts.get(key) ?? 0) + amount;
  if (count === 0) counts.delete(key);
  else counts.set(key, count);
}
