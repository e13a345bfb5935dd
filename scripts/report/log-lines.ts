/** The appendix: every event of the logs that has to do with a lock, a peer or a life, one line each, as the nodes recorded it. */
import type { Effect, Event, LockName, Message } from '../../src/core';
import type { Log, LoggedStep, Run } from './logs';

export function logLines({ majority, grid }: Run): { readonly title: string; readonly lines: readonly string[] }[] {
  return [
    { title: 'Three nodes of a majority', lines: linesOf(majority) },
    { title: 'The grid of two by two', lines: linesOf(grid) },
  ];
}

function linesOf(log: Log): string[] {
  return log.steps.flatMap((step) => lineOf(log, step) ?? []);
}

/** Null when the event says nothing about a lock, a peer or a life. */
export function lineOf({ startMs }: Log, step: LoggedStep): string | null {
  const effects = step.effects.flatMap((effect) => effectText(effect, step.event) ?? []);
  const event = eventText(step.event);
  if (event === null && effects.length === 0) return null;
  return `${String(step.atMs - startMs).padStart(6)} ${nodeName(step)} ${step.clock} ${[event ?? 'later', ...effects.map((each) => `→ ${each}`)].join(' ')}`;
}

const nodeName = ({ node, life }: LoggedStep): string => (life === 0 ? node : `${node}${"'".repeat(life)}`);

export function messageText(message: Message): string {
  switch (message.kind) {
    case 'request': return `Request ${message.timestamp}${message.claim === 'waits' ? '' : ` (${message.claim})`}`;
    case 'grant': return `Grant ${message.grant} for ${message.timestamp}`;
    case 'release': return `Release ${message.timestamp}`;
    case 'inquire': return `Inquire ${message.grant} for ${message.contender.request.timestamp} of ${message.contender.request.node}`;
    case 'yield': return `Yield ${message.grant}`;
  }
}

/** Null for what says nothing about a lock, a peer or a life. */
function eventText(event: Event): string | null {
  switch (event.kind) {
    case 'start': return 'starts';
    case 'stop': return 'stops';
    case 'acquire': return `${event.lock}: caller ${event.caller} asks`;
    case 'release': return `${event.lock}: caller ${event.caller} leaves`;
    case 'message': return `${event.message.lock}: ${messageText(event.message)} from ${event.from}`;
    case 'peerUp': return `${event.peer} is up${(event.silentForMs ?? 0) > 0 ? `, silent for ${event.silentForMs ?? 0} ms` : ''}`;
    case 'peerDown': return `${event.peer} is down`;
    case 'namesake': return `refused by ${event.peer}, which has another process of this id`;
    case 'ceilingReserved': case 'wake': case 'silence': case 'slept': return null;
  }
}

/** Names the lock where the event does not. */
function effectText(effect: Effect, event: Event): string | null {
  const isNamed = event.kind === 'acquire' || event.kind === 'release' || event.kind === 'message';
  const of = (lock: LockName): string => (isNamed ? '' : `${lock}: `);
  switch (effect.kind) {
    case 'send': return `${of(effect.message.lock)}${messageText(effect.message)} to ${effect.to}`;
    case 'entered': return `${of(effect.lock)}caller ${effect.caller} enters with token ${effect.token}`;
    case 'wanted': return `${of(effect.lock)}caller ${effect.caller} hears that others want it`;
    case 'lost': return `${of(effect.lock)}caller ${effect.caller} lost the lock`;
    case 'recalled': return `${of(effect.lock)}caller ${effect.caller} is recalled`;
    case 'joined': return 'joins';
    case 'ignored': return `ignored: ${effect.reason}`;
    case 'renewed': case 'wake': case 'reserveCeiling': return null;
  }
}
