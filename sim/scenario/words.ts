/**
 * Messages and effects in the words of the protocol, one line each: `Request a (104) keep`,
 * `n1 enters a, token 108, until 2968`. For scenarios, traces and whoever explains a run to a reader.
 */
import { assertNever, claimOf, doesHold, doesSteal } from '../../src/core';
import type {
  CallerId, Claim, Contender, Effect, LamportTime, LockName, LockView, Message, Mode, NodeId, RequesterView,
} from '../../src/core';

/** What a reader wants to see of the numbers. */
export interface Wording {
  /** How Lamport times and tokens are printed, where they are too long as they are. */
  readonly time?: (value: LamportTime) => string;
  /** Add to each message the sender's clock. */
  readonly clocks?: boolean;
  /** What a caller is called, or null to leave it out. */
  readonly caller?: (node: NodeId, caller: CallerId) => string | null;
}

const NAMES = { request: 'Request', grant: 'Grant', release: 'Release', inquire: 'Inquire', yield: 'Yield' } as const;

/** `Request a (104) shared keep has #107`: the name of the message, the lock, the request's timestamp and what else it says. */
export function describeMessage(message: Message, wording: Wording = {}): string {
  const { time = String } = wording;
  const words = [NAMES[message.kind], message.lock, `(${time(message.timestamp)})`, ...particulars(message, time)];
  if (wording.clocks === true) words.push(`[clock ${time(message.clock)}]`);
  return words.join(' ');
}

function particulars(message: Message, time: (value: LamportTime) => string): string[] {
  switch (message.kind) {
    case 'request':
      return [
        ...claimWords(message.claim),
        ...(message.mode === 'shared' ? ['shared'] : []),
        ...(message.keep ? ['keep'] : []),
        ...(message.heldGrant === null ? [] : [`has #${time(message.heldGrant)}`]),
      ];
    case 'grant':
      return [`#${time(message.grant)}`, ...(message.contended ? ['contended'] : [])];
    case 'inquire':
      return [`#${time(message.grant)}`, 'for', describeRequest(message.contender, time)];
    case 'yield':
      return [`#${time(message.grant)}`];
    case 'release':
      return [];
    default:
      return assertNever(message);
  }
}

/** `(104, n1)` */
export function describeRequest({ request, claim }: Contender, time: (value: LamportTime) => string = String): string {
  return `(${[time(request.timestamp), request.node, ...claimWords(claim)].join(', ')})`;
}

function claimWords(claim: Claim): string[] {
  return [...(doesSteal(claim) ? ['steals'] : []), ...(doesHold(claim) ? ['holds'] : [])];
}

/** What `node` knows of a lock, a line for each of its roles. */
export function describeLock(node: NodeId, { lock, requester, grants, queue }: LockView): string[] {
  return [
    ...(requester === null ? [] : [`${node} ${describeRequester(lock, requester)}`]),
    ...grants.map(({ request, claim, mode, grant, expiresAtMs }) =>
      `${node} lends ${lock}${sharedOf(mode)} to ${describeRequest({ request, claim })} #${grant} until ${expiresAtMs}`),
    ...(queue.length === 0 ? [] : [
      `${node} queues for ${lock}: ${queue.map((waiter) => describeRequest(waiter) + sharedOf(waiter.mode)).join(' ')}`,
    ]),
  ];
}

function describeRequester(lock: LockName, requester: RequesterView): string {
  if (requester.state === 'idle') return `remembers contention for ${lock}`;
  const what = `${lock}${sharedOf(requester.mode)} ${describeRequest({ request: requester.request, claim: claimOf(requester.steals, false) })}`;
  const votes = `asked ${requester.asked.join(' ')}, votes of ${requester.granted.join(' ') || 'nobody'}`;
  switch (requester.state) {
    case 'waiting':
      return `waits for ${what}, ${votes}`;
    case 'held':
      return `holds ${what}, token ${requester.token}, until ${requester.validUntilMs}, ${votes}`;
    case 'retained':
      return `retains ${what}, token ${requester.token}, until ${requester.validUntilMs}, ${votes}`;
    case 'recalled':
      return `recalls ${what}, ${votes}`;
    default:
      return assertNever(requester);
  }
}

function sharedOf(mode: Mode): string {
  return mode === 'shared' ? ' shared' : '';
}

/** What `node` did, or null for what only its driver sees: a wish to be woken, a ceiling to be written. */
export function describeEffect(node: NodeId, effect: Effect, wording: Wording = {}): string | null {
  const { time = String } = wording;
  const as = (caller: CallerId): string => {
    const name = wording.caller?.(node, caller) ?? null;
    return name === null ? '' : ` as ${name}`;
  };
  switch (effect.kind) {
    case 'send':
      return `${node} → ${effect.to}  ${describeMessage(effect.message, wording)}`;
    case 'entered':
      return `${node} enters ${effect.lock}${sharedOf(effect.mode)}${as(effect.caller)}, token ${time(effect.token)}, until ${effect.validUntilMs}`;
    case 'renewed':
      return `${node} holds ${effect.lock} until ${effect.validUntilMs}`;
    case 'wanted':
      return `${node} hears that others want ${effect.lock}, which ${as(effect.caller).trim() === '' ? 'its caller' : as(effect.caller).slice(4)} keeps`;
    case 'lost':
      return `${node} loses ${effect.lock}${as(effect.caller)}${effect.thief === undefined ? '' : `: stolen by ${effect.thief.node}`}`;
    case 'recalled':
      return `${node} recalls ${effect.lock}${as(effect.caller)}${effect.thief === undefined ? '' : `: stolen by ${effect.thief.node}`}`;
    case 'ignored':
      return `${node} drops ${describeMessage(effect.message, wording)} of ${effect.from}: ${effect.reason}`;
    case 'joined':
      return `${node} takes part, as ${effect.by === 'peers' ? 'its peers remember' : 'the wall clock goes'}`;
    case 'wake':
    case 'reserveCeiling':
      return null;
    default:
      return assertNever(effect);
  }
}
