/**
 * What a requester knows of one lock, phase by phase: plain data, and what others may see of it.
 * Law: a phase holds what is true in that phase and nothing else. How one becomes another is in requester.ts.
 * Source: protocol.md sections 6 and 9.
 */
import type { CallerId, ClientNumber } from './events';
import { assertNever } from './invariants';
import type { LamportTime, Mode, NodeId, RequestId, Token } from './messages';
import type { Entitlement, Votes } from './votes';

/** A local caller in line. */
export interface Caller {
  readonly id: CallerId;
  readonly mode: Mode;
  /** Taken when the caller asked, so that waiting in the local line costs it no place among all nodes. */
  readonly timestamp: LamportTime;
  readonly steals: boolean;
  readonly remote: boolean;
  readonly keeps: boolean;
  /** Of which client, if that passes locks on among its callers by itself; or null. */
  readonly client: ClientNumber | null;
}

/** A caller inside. */
export interface Holder {
  readonly id: CallerId;
  /** It is in another process, which may hear late of what happens here. */
  readonly remote: boolean;
}

/** A request that is in the protocol: some arbiters have been asked and not yet told that it is over. */
export interface OpenRequest {
  readonly id: RequestId;
  readonly mode: Mode;
  /** It takes the lock from whoever holds it. What it claims besides follows from the phase. */
  readonly steals: boolean;
  readonly keep: boolean;
  readonly asked: NodeId[];
  readonly votes: Votes;
  askedAtMs: number;
  /** Someone else wants this lock: it will be released for real. */
  contended: boolean;
}

/** No request is in the protocol. */
export interface Idle {
  readonly state: 'idle';
}

/** The first in line has asked. */
export interface Waiting {
  readonly state: 'waiting';
  readonly request: OpenRequest;
  /** Clocks found too far apart are brought together at once the first time only (protocol.md section 11). */
  clocksBroughtTogether: boolean;
  /** And votes that end too soon to enter with are renewed at once the first time only. */
  votesRenewed: boolean;
  /** Until then those asked may be expected to answer; then others are asked too, and again a lease later. */
  patientUntilMs: number;
}

/** Callers may be inside, or enter again: votes that are valid contain a quorum until `validUntilMs`. */
export interface Entry extends Entitlement {
  readonly request: OpenRequest;
}

/** What a caller may do by itself when it is done with the lock: enter again, or let others of its client enter. */
export interface Room {
  readonly caller: CallerId;
  /** The highest token that it may take. Until it says otherwise it may have taken it. */
  readonly until: Token;
  /** It was told that somebody else wants the lock; or knows, and only passes it on to those that stand before them. */
  isCalledIn: boolean;
}

/** Callers are inside. */
export interface Held extends Entry {
  readonly state: 'held';
  /** Since when. */
  readonly sinceMs: number;
  /** When the last of them entered. */
  lastEntryAtMs: number;
  inside: Holder[];
  /** Of which nodes it heard that they steal the lock: the timestamp of the newest such request, for which it has asked its node. */
  thievesHeardOf: Map<NodeId, LamportTime> | null;
  /** Of the one inside, if it keeps the lock or may pass it on. */
  room: Room | null;
}

/** Nobody is inside, and the grants are kept. */
export interface Retained extends Entry {
  readonly state: 'retained';
}

/**
 * The lock was taken from remote callers, which may still count on it. So nobody is told that the request is
 * over before they have given the lock back, and nothing prolongs it: its grants run out.
 */
export interface Recalled {
  readonly state: 'recalled';
  readonly request: OpenRequest;
  readonly inside: Set<CallerId>;
  readonly room: Room | null;
}

/** The phases in which a request is in the protocol. */
export type OpenPhase = Waiting | Held | Retained | Recalled;

export type Phase = Idle | OpenPhase;

interface RequestView {
  readonly request: RequestId;
  readonly mode: Mode;
  /** It takes the lock from whoever holds it, or took it. */
  readonly steals: boolean;
  readonly asked: readonly NodeId[];
  readonly granted: readonly NodeId[];
  readonly waitingCallers: readonly CallerId[];
}

/** How far this node is with a lock that its callers want. `contended`: someone else wants it too. */
export type RequesterView =
  | { readonly state: 'idle'; readonly waitingCallers: readonly CallerId[] }
  | (RequestView & { readonly state: 'waiting'; readonly contended: boolean })
  | (RequestView & {
      readonly state: 'held';
      readonly contended: boolean;
      readonly token: Token;
      readonly validUntilMs: number;
      readonly inside: readonly CallerId[];
    })
  | (RequestView & { readonly state: 'retained'; readonly token: Token; readonly validUntilMs: number })
  | (RequestView & { readonly state: 'recalled'; readonly contended: boolean; readonly inside: readonly CallerId[] });

/** @param sleptMs how far the requesters' time is ahead of `nowMs`, in which views speak */
export function viewOf(phase: Phase, line: readonly Caller[], sleptMs: number): RequesterView {
  const waitingCallers = line.map((caller) => caller.id);
  if (phase.state === 'idle') return { state: 'idle', waitingCallers };
  const { id, mode, steals, asked, votes, contended } = phase.request;
  const open: RequestView = { request: id, mode, steals, asked: [...asked], granted: votes.arbiters, waitingCallers };
  switch (phase.state) {
    case 'waiting':
      return { state: 'waiting', ...open, contended };
    case 'held': {
      const { token, validUntilMs, inside } = phase;
      return { state: 'held', ...open, contended, token, validUntilMs: validUntilMs - sleptMs, inside: inside.map((holder) => holder.id) };
    }
    case 'retained':
      return { state: 'retained', ...open, token: phase.token, validUntilMs: phase.validUntilMs - sleptMs };
    case 'recalled':
      return { state: 'recalled', ...open, contended, inside: [...phase.inside] };
    default:
      return assertNever(phase);
  }
}
