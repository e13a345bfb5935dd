/**
 * A run as text, one line for each event and one for each of its effects. Lamport times are printed
 * from the wall clock at which the nodes first started, so that they stay short.
 */
import type { Effect, Event, LamportTime, Message, NodeId } from '../../src/core';
import { WALL_CLOCK_START_US } from '../plan/layout';
import type { Plan } from '../plan/plan';
import type { Note, Observer } from '../world/observer';

/** What is said of a run, with its Lamport times as short as they are in its trace. */
export function withShortClocks(plan: Plan, text: string): string {
  return text.replace(/\d{14,}/g, (digits) => String(Number(digits) - originOfClocks(plan)));
}

function originOfClocks({ uptimeUs }: Plan): LamportTime {
  return WALL_CLOCK_START_US - uptimeUs;
}

export function traceTo(plan: Plan, write: (line: string) => void): Observer {
  const origin = originOfClocks(plan);
  const clock = (value: LamportTime): string => String(value === 0 ? 0 : value - origin);
  const text = (message: Message): string => describeMessage(message, clock);
  return {
    stepped(atUs: number, node: NodeId, event: Event, effects: readonly Effect[]): void {
      write(`${time(atUs)}  ${node}  ${describeEvent(event, text, clock)}   (its time ${event.nowMs})`);
      for (const effect of effects) write(`${' '.repeat(14)}      ${describeEffect(effect, text, clock)}`);
    },
    noted(atUs: number, note: Note): void {
      write(`${time(atUs)}  ** ${describeNote(note, clock)}`);
    },
  };
}

function time(atUs: number): string {
  return `${(atUs / 1000).toFixed(3)} ms`.padStart(14);
}

function describeNote(note: Note, clock: Clock): string {
  switch (note.kind) {
    case 'fault':
      return `fault: ${JSON.stringify(note.fault)}`;
    case 'starts':
      return `${note.node} starts, life ${note.life}, ceiling on disk ${note.ceilingOnDisk}`;
    case 'dies':
      return `${note.node} dies (${note.how})`;
    case 'refuses':
      return `${note.node} does not start: its ceiling file is corrupt`;
    case 'write':
      return `a write of ${note.node} caller ${note.caller} under lock ${note.lock} with token ${clock(note.token)} is ${note.isAccepted ? 'accepted' : 'refused'}`;
    case 'healed':
      return ['all faults end', ...note.lostForEver.map(({ machine, how }) => `but n${machine + 1} stays ${how}`)].join(', ');
    case 'drained':
      return 'nobody asks any more';
  }
}

type Clock = (value: LamportTime) => string;

function describeEvent(event: Event, text: (message: Message) => string, clock: Clock): string {
  switch (event.kind) {
    case 'start':
    case 'stop':
    case 'wake':
      return event.kind;
    case 'acquire':
      return `caller ${event.caller} ${event.steals ? 'steals' : 'acquires'} ${event.lock} ${event.mode}${event.remote === true ? ' from another process' : ''}`;
    case 'release':
      return `caller ${event.caller} releases ${event.lock}`;
    case 'message':
      return `<- ${event.from}  ${text(event.message)}`;
    case 'peerUp':
      return `${event.peer} is up, clock ${clock(event.clock)}`;
    case 'peerDown':
      return `${event.peer} is down`;
    case 'namesake':
      return `${event.peer} has another process of this id`;
    case 'ceilingReserved':
      return `ceiling ${clock(event.ceiling)} is on disk`;
    case 'slept':
      return `slept ${event.byMs} ms`;
    case 'silence':
      return event.untilMs === null ? 'is to be silent' : `is to be silent until ${event.untilMs}`;
  }
}

function describeEffect(effect: Effect, text: (message: Message) => string, clock: Clock): string {
  switch (effect.kind) {
    case 'send':
      return `-> ${effect.to}  ${text(effect.message)}`;
    case 'entered':
      return `ENTERED ${effect.lock} caller ${effect.caller} ${effect.mode} token ${clock(effect.token)} until ${effect.validUntilMs}`;
    case 'renewed':
      return `renewed ${effect.lock} callers ${effect.callers.join(' ')} until ${effect.validUntilMs}`;
    case 'wanted':
      return `wanted by others: ${effect.lock} caller ${effect.caller}`;
    case 'lost':
      return `${effect.thief === undefined ? 'LOST' : 'STOLEN'} ${effect.lock} caller ${effect.caller}${effect.thief === undefined ? '' : ` by ${effect.thief.node}`}`;
    case 'recalled':
      return `RECALLED ${effect.lock} caller ${effect.caller}${effect.thief === undefined ? '' : `, stolen by ${effect.thief.node}`}`;
    case 'wake':
      return `wake me at ${effect.atMs}`;
    case 'reserveCeiling':
      return `reserve ceiling ${clock(effect.ceiling)}`;
    case 'joined':
      return `takes part, by ${effect.by}`;
    case 'ignored':
      return `ignored: ${effect.reason}`;
  }
}

function describeMessage(message: Message, clock: Clock): string {
  const of = `${message.lock} request ${clock(message.timestamp)}`;
  const at = `[clock ${clock(message.clock)}]`;
  switch (message.kind) {
    case 'request': {
      const held = message.heldGrant === null ? '' : ` holds grant ${clock(message.heldGrant)}`;
      return `Request ${of} ${message.mode}${message.keep ? ' keep' : ''} sent at ${message.sentAtMs}${held} ${at}`;
    }
    case 'grant':
      return `Grant ${of} number ${clock(message.grant)} for sent at ${message.sentAtMs}${message.contended ? ' contended' : ''}${message.contenderTimestamp === undefined ? '' : ` after ${clock(message.contenderTimestamp)}`} ${at}`;
    case 'release':
      return `Release ${of}${message.nextTimestamp === undefined ? '' : ` next ${clock(message.nextTimestamp)}`} ${at}`;
    case 'inquire':
      return `Inquire ${of} number ${clock(message.grant)} for (${clock(message.contender.request.timestamp)}, ${message.contender.request.node}) ${at}`;
    case 'yield':
      return `Yield ${of} number ${clock(message.grant)} ${at}`;
  }
}
