/** Everything the page says about an event, in the words of the protocol. Plain text; markup is made elsewhere. */
import type { Message } from '../../../src/core';
import type { RecordedEffect, RecordedMessage, Row, StateParts, StepRow } from '../recording';
import { requestOf } from './model';
import type { Model } from './model';

export const MESSAGE_NAMES: Readonly<Record<Message['kind'], string>> = {
  request: 'Request', grant: 'Grant', release: 'Release', inquire: 'Inquire', yield: 'Yield',
};

/** `12.34 ms`, `46.7812 s`: fine enough to tell one event from the next. A wall clock knows but whole milliseconds. */
export function timeText(us: number): string {
  if (us % 1000 === 0 && Math.abs(us) < 10_000_000) return `${us / 1000} ms`;
  return Math.abs(us) >= 10_000_000 ? `${(us / 1_000_000).toFixed(4)} s` : `${(us / 1000).toFixed(2)} ms`;
}

export function rowText(model: Model, row: Row): string {
  switch (row.kind) {
    case 'note':
      return row.text;
    case 'write':
      return `a write of caller ${row.caller} under ${model.lockName(row.lock)} with token ${clockText(row.token)} is ${row.isAccepted ? 'accepted' : 'refused'}`;
    case 'step':
      return eventText(model, row);
  }
}

export function eventText(model: Model, { event, node, effects }: StepRow): string {
  const lock = event.lock === undefined ? '' : model.lockName(event.lock);
  switch (event.kind) {
    case 'start':
      return event.life === 1 ? 'starts' : `starts again, life ${event.life}`;
    case 'stop':
      return 'stops in good order';
    case 'acquire':
      return `caller ${event.caller} ${event.steals === true ? 'steals' : 'wants'} ${lock}${event.mode === 'shared' ? ', shared' : ''}`;
    case 'release':
      return `caller ${event.caller} lets go of ${lock}`;
    case 'message': {
      const message = model.message(event.message);
      if (message === undefined) return 'receives a message';
      const isFromArbiter = message.message.kind === 'grant' || message.message.kind === 'inquire';
      return `${messageText(model, message)}${isFromArbiter ? ` from ${model.nodeName(message.from)}` : ''}`;
    }
    case 'peerUp':
      return `finds ${model.nodeName(event.peer ?? node)} up${event.silentForMs === undefined ? '' : `, silent for ${event.silentForMs} ms`}`;
    case 'peerDown':
      return `finds ${model.nodeName(event.peer ?? node)} down`;
    case 'namesake':
      return `hears that ${model.nodeName(event.peer ?? node)} has another process of its id`;
    case 'ceilingReserved':
      return 'the ceiling is on disk';
    case 'wake':
      return effects.length === 0 ? 'wakes up for nothing' : 'wakes up';
    case 'slept':
      return `slept for ${event.byMs} ms`;
    case 'silence':
      return event.untilMs === undefined ? 'lends nothing until further notice' : `lends nothing before ${event.untilMs} ms`;
  }
}

/** With the request that it is about. */
export function messageText(model: Model, message: RecordedMessage): string {
  return `${MESSAGE_NAMES[message.message.kind]} ${model.requestName(requestOf(message, model.recording.nodes))}`;
}

/** Lamport times can be long: groups of three digits. */
export function clockText(clock: number): string {
  return String(clock).replace(/\B(?=(\d{3})+$)/g, '\u2009');
}

/** Where there is little room: the last digits tell one from the next. */
export function shortClockText(clock: number): string {
  return clock >= 10_000_000 ? `…${clockText(clock).slice(-7)}` : clockText(clock);
}

/** Name and value of each field, as a reader of the protocol wants them. */
export function messageFields(model: Model, { message, lock }: RecordedMessage): [string, string][] {
  const fields: [string, string][] = [['lock', model.lockName(lock)], ['request', clockText(message.timestamp)], ['clock', clockText(message.clock)]];
  switch (message.kind) {
    case 'request':
      fields.push(['mode', message.mode], ['keep', message.keep ? 'yes' : 'no']);
      if (message.claim === 'steals' || message.claim === 'stole') fields.push(['steals', 'yes']);
      if (message.claim === 'holds' || message.claim === 'stole') fields.push(['holds', 'yes']);
      fields.push(['sent at', `${message.sentAtMs} ms`]);
      if (message.heldGrant !== null) fields.push(['holds grant', clockText(message.heldGrant)]);
      return fields;
    case 'grant':
      fields.push(['grant', clockText(message.grant)], ['counts from', `${message.sentAtMs} ms`]);
      if (message.contended) fields.push(['contended', 'yes']);
      return fields;
    case 'inquire':
      fields.push(['grant', clockText(message.grant)], ['for', model.requestName(message.contender.request)]);
      return fields;
    case 'yield':
      fields.push(['grant', clockText(message.grant)]);
      return fields;
    case 'release':
      return fields;
  }
}

/** What became of a message on its way, or null when it simply arrived. */
export function fateText(message: RecordedMessage): string | null {
  const arrived = message.receivedAt.length;
  const dropped = message.dropped ?? [];
  if (arrived === 1 && dropped.length === 0) return null;
  if (arrived > 1) return `arrived ${arrived} times`;
  if (dropped.length > 0) return arrived === 0 ? `${dropped[0]}` : `a copy: ${dropped[0]}`;
  return 'still under way';
}

export function effectText(model: Model, effect: RecordedEffect, step: StepRow): string {
  const lock = effect.lock === undefined ? '' : model.lockName(effect.lock);
  switch (effect.kind) {
    case 'send': {
      const message = model.message(effect.message);
      if (message === undefined) return 'sends a message';
      const fate = fateText(message);
      return `sends ${messageText(model, message)} to ${model.nodeName(message.to)}${fate === null ? '' : ` (${fate})`}`;
    }
    case 'entered':
      return `caller ${effect.caller} enters ${lock}${effect.mode === 'shared' ? ', shared' : ''}, token ${clockText(effect.token ?? 0)}, for ${untilText(effect.validUntilMs, step)}`;
    case 'renewed':
      return `${lock} is held for ${untilText(effect.validUntilMs, step)}`;
    case 'wanted':
      return `caller ${effect.caller}, which keeps ${lock}, hears that others want it`;
    case 'lost':
      return `caller ${effect.caller} loses ${lock}${effect.thief === undefined ? ': its lease ended' : `: ${effect.thief.node} stole it`}`;
    case 'recalled':
      return `caller ${effect.caller} is to give ${lock} back${effect.thief === undefined ? ': its lease ended' : `: ${effect.thief.node} steals it`}`;
    case 'joined':
      return 'has learned which tokens may be in use, and takes part';
    case 'ignored':
      return `ignored: ${effect.reason}`;
    case 'wake':
      return effect.atMs === undefined ? 'wants to be woken' : `wants to be woken in ${effect.atMs - step.nowMs} ms`;
    case 'reserveCeiling':
      return `wants the ceiling ${clockText(effect.ceiling ?? 0)} on disk`;
  }
}

function untilText(validUntilMs: number | undefined, { nowMs }: StepRow): string {
  return validUntilMs === undefined ? 'a while' : `${validUntilMs - nowMs} ms more`;
}

/** What a node knows of a lock, a line for each fact, to be compared with the lines of another moment. */
export function stateLines(model: Model, { grants, queue, requester }: StateParts, nowMs: number): { arbiter: string[]; requester: string[] } {
  const left = (untilMs: number): string => (untilMs > nowMs ? `ends in ${untilMs - nowMs} ms` : `ended ${nowMs - untilMs} ms ago`);
  const arbiter = [
    ...grants.map((grant) => `vote lent to ${model.requestName(grant.request)}${shared(grant.mode)} by grant ${clockText(grant.grant)}, ${left(grant.expiresAtMs)}`),
    ...queue.map((waiter, place) => `${place + 1}. in the queue: ${model.requestName(waiter.request)}${shared(waiter.mode)}`),
  ];
  return { arbiter, requester: requester === null ? [] : requesterLines(model, requester, left) };
}

function requesterLines(model: Model, requester: NonNullable<StateParts['requester']>, left: (untilMs: number) => string): string[] {
  const line = requester.waitingCallers.length === 0 ? [] : [`in line: ${list('caller', requester.waitingCallers)}`];
  if (requester.state === 'idle') return ['no request', ...line];
  const lines = [
    `${model.requestName(requester.request)}${shared(requester.mode)} is ${requester.state}`,
    `asked ${requester.asked.join(', ')}`,
    requester.granted.length === 0 ? 'no vote yet' : `${requester.granted.length === 1 ? 'vote' : 'votes'} of ${requester.granted.join(', ')}`,
  ];
  if (requester.state !== 'retained' && requester.contended) lines.push('someone else waits for it');
  if (requester.state === 'held') lines.push(`inside: ${list('caller', requester.inside)}`);
  if (requester.state === 'recalled') lines.push(`not given back yet by ${list('caller', requester.inside)}`);
  if (requester.state === 'held' || requester.state === 'retained') lines.push(`token ${clockText(requester.token)}, ${left(requester.validUntilMs)}`);
  return [...lines, ...line];
}

function shared(mode: string): string {
  return mode === 'shared' ? ' (shared)' : '';
}

function list(noun: string, items: readonly number[]): string {
  return `${noun}${items.length === 1 ? '' : 's'} ${items.join(', ')}`;
}
