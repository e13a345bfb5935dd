/**
 * All that a log says of one lock: what happened where, which message went from where to where, who was inside.
 */
import type { CallerId, Effect, LockName, Message, NodeId, Token } from '../../src/core';
import type { Log, LoggedStep } from './logs';

/** One event at a node that has to do with the lock. */
export interface StoryStep {
  readonly logged: LoggedStep;
  /** Of its effects those on this lock. */
  readonly effects: readonly Effect[];
}

export interface Sent {
  readonly message: Message;
  readonly from: NodeId;
  readonly to: NodeId;
  /** Places in `steps`. */
  readonly sentAt: number;
  /** Null: it never came, or nobody lived to tell. */
  readonly receivedAt: number | null;
}

export interface Entry {
  readonly node: NodeId;
  readonly caller: CallerId;
  readonly token: Token;
  readonly askedAt: number;
  readonly enteredAt: number;
  /** Null: it was killed inside. */
  readonly leftAt: number | null;
}

export interface Story {
  readonly lock: LockName;
  readonly steps: readonly StoryStep[];
  readonly messages: readonly Sent[];
  readonly entries: readonly Entry[];
}

/** The locks of a log, in the order in which they are first heard of. */
export function locksOf(log: Log): LockName[] {
  return [...new Set(log.steps.flatMap(({ event }) => (event.kind === 'acquire' ? [event.lock] : [])))];
}

export function storyOf(log: Log, lock: LockName): Story {
  const steps = log.steps.flatMap((logged): StoryStep[] => {
    const effects = logged.effects.filter((effect) => lockOfEffect(effect) === lock);
    return lockOfEvent(logged) === lock || effects.length > 0 ? [{ logged, effects }] : [];
  });
  return { lock, steps, messages: messagesOf(steps), entries: entriesOf(steps) };
}

function lockOfEvent({ event }: LoggedStep): LockName | null {
  if (event.kind === 'message') return event.message.lock;
  return event.kind === 'acquire' || event.kind === 'release' ? event.lock : null;
}

function lockOfEffect(effect: Effect): LockName | null {
  if (effect.kind === 'send') return effect.message.lock;
  return effect.kind === 'entered' || effect.kind === 'lost' || effect.kind === 'recalled' ? effect.lock : null;
}

function messagesOf(steps: readonly StoryStep[]): Sent[] {
  const receivedAt = new Map(steps.flatMap(({ logged: { received } }, index) => (received === null ? [] : [[received, index]])));
  return steps.flatMap(({ logged: { node, effects, sent } }, sentAt) => {
    const sends = effects.filter((effect) => effect.kind === 'send');
    return sends.map(({ to, message }, place): Sent => ({ message, from: node, to, sentAt, receivedAt: receivedAt.get(sent[place] ?? -1) ?? null }))
      .filter(({ message }) => message.lock === lockOfSteps(steps));
  });
}

function lockOfSteps(steps: readonly StoryStep[]): LockName | null {
  for (const { logged } of steps) {
    const lock = lockOfEvent(logged);
    if (lock !== null) return lock;
  }
  return null;
}

function entriesOf(steps: readonly StoryStep[]): Entry[] {
  return steps.flatMap(({ logged: { node, life }, effects }, enteredAt) => effects.flatMap((effect): Entry[] => {
    if (effect.kind !== 'entered') return [];
    const of = (kind: 'acquire' | 'release') => ({ logged }: StoryStep): boolean => (
      logged.node === node && logged.life === life && logged.event.kind === kind && logged.event.caller === effect.caller
    );
    const askedAt = steps.findIndex(of('acquire'));
    const leftAt = steps.findIndex(of('release'));
    return [{ node, caller: effect.caller, token: effect.token, askedAt, enteredAt, leftAt: leftAt < 0 ? null : leftAt }];
  }));
}

/**
 * By how many messages the lock came from the one who left to the next who entered, each the cause of the one after it. Null when
 * the entry had another cause as well, such as a request that came later.
 */
export function messagesOfHandOver({ steps, messages }: Story, before: Entry, after: Entry): number | null {
  let at = after.enteredAt;
  for (let count = 0; ; count++) {
    if (at === before.leftAt) return count;
    const message = messages.find(({ receivedAt }) => receivedAt === at);
    if (message === undefined || steps[at]?.logged.event.kind !== 'message') return null;
    at = message.sentAt;
  }
}
