/**
 * Long lists in pages: what is held and waits, and the locks that a node knows of. Law: a page is bounded, and the node keeps
 * nothing for whoever asks for the next; where to go on stands in the page token. What ends while the pages are read may be
 * missing, and what begins may be listed; what stays is listed.
 */
import type { LockInfoMessage, QueryReply } from '../client-protocol/schema';
import { lockInfoMessage } from '../client-protocol/wire-words';
import type { LockName } from '../core';
import type { LockInfo } from '../locks/types';

/** About so many bytes are in a page: much less than any client takes at once (4 MiB as a rule). */
export const PAGE_BYTES = 2 ** 18;

/** What an entry takes beside its texts. */
const ENTRY_BYTES = 40;

/** An entry of a list, and its place there. Places rise. */
export type Placed = readonly [place: number, info: LockInfo];

export interface Inventory {
  /** Held, first granted first, above this place. */
  heldAbove(place: number): Iterable<Placed>;
  /** Asked for, first asked first, above this place. */
  pendingAbove(place: number): Iterable<Placed>;
}

/** Up to which place each list was read. `isAgain`: those that were granted meanwhile come at the end. */
interface Position {
  readonly list: 'held' | 'pending' | 'held since';
  readonly held: number;
  readonly pending: number;
}

/** Null: the token is none that a node gave. */
export function queryPage(inventory: Inventory, token: string, bytes = PAGE_BYTES): QueryReply | null {
  const start = readToken(token);
  if (start === null) return null;
  let { list, held: heldUpTo, pending: pendingUpTo } = start;
  const held: LockInfoMessage[] = [];
  const pending: LockInfoMessage[] = [];
  const room = new Room(bytes);
  const page = (nextPageToken: string): QueryReply => ({ held, pending, unanswered: [], nextPageToken });
  for (;;) {
    for (const [place, info] of list === 'pending' ? inventory.pendingAbove(pendingUpTo) : inventory.heldAbove(heldUpTo)) {
      const message = lockInfoMessage(info);
      if (!room.take(message.lock.length + Buffer.byteLength(message.label) + message.clientId.length)) return page(`${list} ${heldUpTo} ${pendingUpTo}`);
      if (list === 'pending') pendingUpTo = place;
      else heldUpTo = place;
      (list === 'pending' ? pending : held).push(message);
    }
    if (list === 'held since') return page('');
    list = list === 'held' ? 'pending' : 'held since';
  }
}

function readToken(token: string): Position | null {
  if (token === '') return { list: 'held', held: 0, pending: 0 };
  const [, list, held, pending] = /^(held|pending|held since) (\d{1,15}) (\d{1,15})$/.exec(token) ?? [];
  return list === undefined ? null : { list: list as Position['list'], held: Number(held), pending: Number(pending) };
}

/** What is left of a page. The first entry always has room. */
export class Room {
  private used = 0;

  constructor(private readonly bytes: number) {}

  take(textBytes: number): boolean {
    const used = this.used + textBytes + ENTRY_BYTES;
    if (this.used > 0 && used > this.bytes) return false;
    this.used = used;
    return true;
  }
}

/** A cluster's page is made of one of each node; its token says where each goes on. Null: the token is none that a node gave. */
export function readClusterToken(token: string): ReadonlyMap<string, string> | null {
  const tokens = new Map<string, string>();
  for (const each of token.split(';')) {
    const [, node, own] = /^([^=;]+)=([\w ]+)$/.exec(each) ?? [];
    if (node === undefined || own === undefined) return null;
    tokens.set(decodeURIComponentOr(node), own);
  }
  return tokens;
}

export function clusterToken(tokens: Iterable<readonly [node: string, token: string]>): string {
  return [...tokens].flatMap(([node, token]) => (token === '' ? [] : [`${encodeURIComponent(node)}=${token}`])).join(';');
}

function decodeURIComponentOr(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** So many names are listed anew for each page; of more the list is kept for a second. */
const NAMES_LISTED_ANEW = 10_000;
const NAMES_KEPT_MS = 1_000;

/** The names of the locks that a node knows of. */
export class LockNames {
  private kept: { readonly names: readonly LockName[]; readonly untilMs: number } | undefined;

  constructor(private readonly list: () => readonly LockName[]) {}

  from(place: number): readonly LockName[] {
    const nowMs = performance.now();
    if (this.kept !== undefined && nowMs < this.kept.untilMs) return this.kept.names.slice(place);
    const names = this.list();
    this.kept = names.length <= NAMES_LISTED_ANEW ? undefined : { names, untilMs: nowMs + NAMES_KEPT_MS };
    return names.slice(place);
  }
}
