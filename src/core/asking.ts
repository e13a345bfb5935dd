/**
 * How a requester speaks to arbiters: Request, Yield and Release, made from what it knows.
 * Law: a message says what is so when it is sent. When to send which, and what follows, is in requester.ts.
 * Source: protocol.md section 4, and the rule holder-first.
 */
import type { Context } from './context';
import type { Grant, Inquire, LamportTime, LockName, NodeId } from './messages';
import type { Held, OpenRequest, Waiting } from './phases';
import { claimOf } from './priority';

/** The first time, or again: then it is the retry, and for a holder the renewal. */
export function ask(context: Context, arbiter: NodeId, lock: LockName, { state, request }: Waiting | Held): void {
  const sentAtMs = context.requesterNowMs;
  context.send(arbiter, {
    kind: 'request',
    lock,
    clock: context.clock.now,
    timestamp: request.id.timestamp,
    mode: request.mode,
    claim: claimOf(request.steals, state === 'held'),
    keep: request.keep,
    sentAtMs,
    heldGrant: request.votes.validGrantOf(arbiter, sentAtMs),
  });
}

export function askAll(context: Context, lock: LockName, phase: Waiting | Held): void {
  phase.request.askedAtMs = context.requesterNowMs;
  for (const arbiter of phase.request.asked) ask(context, arbiter, lock, phase);
}

/** Ask those of them that were not asked before. */
export function askToo(context: Context, arbiters: readonly NodeId[], lock: LockName, phase: Waiting | Held): void {
  const { asked } = phase.request;
  for (const node of arbiters) {
    if (asked.includes(node)) continue;
    asked.push(node);
    ask(context, node, lock, phase);
  }
}

export function sendYield(context: Context, to: NodeId, lock: LockName, { id }: OpenRequest, grant: LamportTime): void {
  context.send(to, { kind: 'yield', lock, clock: context.clock.now, timestamp: id.timestamp, grant });
}

/** @param nextTimestamp of the caller for which this node asks next */
export function sendRelease(context: Context, to: NodeId, lock: LockName, timestamp: LamportTime, nextTimestamp?: LamportTime): void {
  context.send(to, { kind: 'release', lock, clock: context.clock.now, timestamp, ...(nextTimestamp === undefined ? {} : { nextTimestamp }) });
}

/** The arbiter lends its vote to a request that is over: tell it so, unless an earlier life made it. */
export function answerUnknown(context: Context, from: NodeId, message: Grant | Inquire): void {
  // What an earlier life held its client may still use: it must run out by itself (protocol.md section 11).
  if (message.timestamp < context.clock.bornAt || !context.takesPart) context.ignore(from, message, 'request of an earlier life');
  else sendRelease(context, from, message.lock, message.timestamp);
}
