/**
 * Why there is no talking to whoever is dialled, in words for people: made from what gRPC and OpenSSL say. Pure. Law: each cause
 * that people can mend has a line of its own; text of others is cut, and no pattern takes longer than its length.
 */
import { status } from '@grpc/grpc-js';
import { visible } from '../visible';

export interface ConnectionFault {
  /**
   * `unreachable`: nobody answers; that may pass. `protocol`: somebody answers, and there is no talking to each other
   * until somebody mends something.
   */
  readonly code: 'unreachable' | 'protocol';
  readonly reason: string;
}

/** More of what somebody says, in characters, is not looked at. Whoever listens at an address chooses that text. */
const TEXT_MAX = 2_000;

const CERTIFICATE_CODES = ['its certificate', 'the certificate is for'] as const;

/** What is found in an error of gRPC, OpenSSL or the system, and what it means. The first that is found counts. */
const MEANINGS: readonly (readonly [found: string, fault: ConnectionFault])[] = [
  ['ECONNREFUSED', unreachable('connection refused: nothing listens there')],
  ['EHOSTUNREACH', unreachable('no route to its machine')],
  ['ENETUNREACH', unreachable('no route to its network')],
  ['ETIMEDOUT', unreachable('its machine does not answer')],
  ['Name resolution failed', unreachable('its host name is not known')],
  ['self-signed certificate', protocol('its certificate was signed by another authority than the one given here (--tls-ca)')],
  ['unable to get local issuer certificate', protocol('its certificate was signed by another authority than the one given here (--tls-ca)')],
  ['unable to get issuer certificate', protocol('its certificate was signed by another authority than the one given here (--tls-ca)')],
  ['unable to verify the first certificate', protocol('its certificate was signed by another authority than the one given here (--tls-ca)')],
  ['certificate signature failure', protocol('its certificate was signed by another authority of the same name than the one given here (--tls-ca)')],
  ['certificate has expired', protocol('its certificate, or that of its authority, has expired')],
  ['certificate is not yet valid', protocol("its certificate is not valid yet, or this machine's clock is wrong")],
  ['unsuitable certificate purpose', protocol('its certificate may not be used for servers (extendedKeyUsage)')],
  ['unsupported certificate purpose', protocol('its certificate may not be used for servers (extendedKeyUsage)')],
  ['alert certificate required', protocol('it asks for a certificate. Give --tls-cert, --tls-key and --tls-ca')],
  ['alert unknown ca', protocol('it refuses the certificate given here: another authority signed it (--tls-cert)')],
  ['alert certificate expired', protocol('it refuses the certificate given here: it has expired (--tls-cert)')],
  ['alert bad certificate', protocol('it refuses the certificate given here (--tls-cert)')],
  ['alert no application protocol', protocol('what listens there speaks TLS, but not gRPC: another program. Check the address')],
  ['alert protocol version', protocol('it allows other versions of TLS only')],
  ['wrong version number', protocol('it does not speak TLS: a node without TLS, or another program. Check the address, or give no TLS files')],
  ['packet length too long', protocol('it does not speak TLS: a node without TLS, or another program. Check the address, or give no TLS files')],
  ['Client network socket disconnected before secure TLS connection', unreachable('the connection is closed at once. Perhaps it does not speak TLS, or no node runs behind it')],
  ['Protocol error', protocol('what listens there speaks another protocol, such as HTTP/1: another program. Check the address')],
  ['Failed to connect', unreachable('the connection is closed at once. Perhaps it speaks TLS only (give --tls-cert, --tls-key and --tls-ca), or no node runs behind it')],
  ['ECONNRESET', unreachable('the connection is closed at once. Perhaps only one side uses TLS, or no node runs behind it')],
  ['Socket closed', unreachable('the connection is closed at once. Perhaps only one side uses TLS, or no node runs behind it')],
  ['Waiting for LB pick', unreachable('no connection in time: it is down, cut off, frozen or too busy')],
  ['Deadline exceeded', unreachable('no answer in time: it is connected, and too busy or frozen')],
];

interface Ended {
  readonly code?: status | undefined;
  readonly details: string;
}

/** Of a call that ended without an answer. */
export function connectionFault(ended: Ended): ConnectionFault {
  const { code, reason } = faultOf(ended);
  return { code, reason: visible(reason) };
}

function faultOf({ code, details }: Ended): ConnectionFault {
  const text = details.slice(0, TEXT_MAX);
  switch (code) {
    case status.UNAUTHENTICATED: // A node says why it lets nobody in.
      return protocol(text);
    case status.UNIMPLEMENTED:
      return protocol('what listens there is no node of maekawa, or runs another version. Check the address');
    case status.DEADLINE_EXCEEDED:
      return meaningOf(text) ?? unreachable(text);
    default:
      break;
  }
  const cause = causeIn(text);
  if (text === 'Connection dropped') return unreachable('the connection broke');
  if (cause === null) return unreachable(text);
  return meaningOf(cause) ?? (CERTIFICATE_CODES.some((each) => cause.startsWith(each)) ? protocol(cause) : unreachable(opensslReason(cause)));
}

/** gRPC wraps why it could not connect into much else, of which the time would make every failure look new. Null for what others said. */
function causeIn(text: string): string | null {
  if (text.startsWith('Name resolution failed')) return text;
  const before = 'Last error: ';
  const begins = text.indexOf(before);
  if (!text.startsWith('No connection established') || begins < 0) return null;
  const ends = text.indexOf('. Resolution note', begins);
  const cause = text.slice(begins + before.length, ends < 0 ? undefined : ends);
  return withoutTime(cause.startsWith('Error: ') ? cause.slice('Error: '.length) : cause);
}

/** Without a time in brackets at its end, such as (2026-01-31T08:15:00.000Z). */
function withoutTime(reason: string): string {
  const start = reason.lastIndexOf('(');
  const isTime = start >= 0 && /^\(\d{4}-[^)]+Z\)$/.test(reason.slice(start));
  return (isTime ? reason.slice(0, start) : reason).trimEnd();
}

function meaningOf(text: string): ConnectionFault | null {
  return MEANINGS.find(([found]) => text.includes(found))?.[1] ?? null;
}

/** `…:SSL routines:function:reason:file:line:` */
export function opensslReason(text: string): string {
  const routines = text.indexOf(':SSL routines:');
  return routines < 0 ? text : text.slice(routines).split(':', 4)[3] || text;
}

function unreachable(reason: string): ConnectionFault {
  return { code: 'unreachable', reason };
}

function protocol(reason: string): ConnectionFault {
  return { code: 'protocol', reason };
}
