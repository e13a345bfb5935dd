/**
 * Events and effects as they stand in a trace file, and back: JSON in which a claim is two flags beside the request, as on
 * the wire.
 * Law: a trace that an earlier version wrote replays, so what is written here never changes its form.
 */
import type { Effect, Event } from './events';
import type { Claim, Message, RequestId } from './messages';
import { claimOf, doesHold, doesSteal } from './priority';

interface Flags {
  readonly steals?: true;
  readonly holds?: true;
}

type Traced<Item> = Item extends { readonly message: Message } ? Omit<Item, 'message'> & { readonly message: TracedMessage } : Item;

type TracedMessage =
  | (Omit<Extract<Message, { kind: 'request' }>, 'claim'> & Flags)
  | (Omit<Extract<Message, { kind: 'inquire' }>, 'contender'> & { readonly contender: RequestId & Flags })
  | Exclude<Message, { kind: 'request' | 'inquire' }>;

export type TracedEvent = Traced<Event>;
export type TracedEffect = Traced<Effect>;

export function tracedEvent(event: Event): TracedEvent {
  return event.kind === 'message' ? { ...event, message: tracedMessage(event.message) } : event;
}

export function tracedEffect(effect: Effect): TracedEffect {
  return effect.kind === 'send' || effect.kind === 'ignored' ? { ...effect, message: tracedMessage(effect.message) } : effect;
}

export function eventOf(traced: TracedEvent): Event {
  return traced.kind === 'message' ? { ...traced, message: messageOf(traced.message) } : traced;
}

export function effectOf(traced: TracedEffect): Effect {
  return traced.kind === 'send' || traced.kind === 'ignored' ? { ...traced, message: messageOf(traced.message) } : traced;
}

function tracedMessage(message: Message): TracedMessage {
  switch (message.kind) {
    case 'request': {
      const { claim, ...request } = message;
      return { ...request, ...flagsOf(claim) };
    }
    case 'inquire': {
      const { contender: { request, claim }, ...inquire } = message;
      return { ...inquire, contender: { ...request, ...flagsOf(claim) } };
    }
    default:
      return message;
  }
}

function messageOf(traced: TracedMessage): Message {
  switch (traced.kind) {
    case 'request': {
      const { steals, holds, ...request } = traced;
      return { ...request, claim: claimOf(steals === true, holds === true) };
    }
    case 'inquire': {
      const { contender: { steals, holds, ...request }, ...inquire } = traced;
      return { ...inquire, contender: { request, claim: claimOf(steals === true, holds === true) } };
    }
    default:
      return traced;
  }
}

function flagsOf(claim: Claim): Flags {
  return { ...(doesSteal(claim) ? { steals: true } : {}), ...(doesHold(claim) ? { holds: true } : {}) };
}
