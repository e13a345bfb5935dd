/**
 * Frames of a session as the wire has them and as the core does. Law: of a frame that breaks a rule of `locks.proto` nothing is
 * done, and the reason says which rule.
 */
import type { AcquireMessage, ClientFrameMessage, HelloMessage, Malformed, NodeFrameMessage } from '../client-protocol/schema';
import type { AskId, ClientFrame, LockName, NodeFrame, SessionEndCause } from '../core';
import { endedMessage } from './acquire';

/** As many as a session may ever have, and as many again that ended and of which its client has not heard, or which it has not given back. */
const KEEP_MAX = 20_000;
/** More than a client of the library asks for in one frame. Each that is refused takes memory until its client was told. */
const ACQUIRES_MAX = 2_048;

/** What the client asks for, as it came. */
export type Ask = AcquireMessage;

export interface FrameRead {
  readonly hello: HelloMessage | null;
  readonly frame: Omit<ClientFrame<Ask>, 'hello'>;
}

/** @param isFirst of its stream */
export function readFrame(message: ClientFrameMessage | Malformed, isFirst: boolean): FrameRead | { readonly fault: string } {
  if (!('releases' in message)) return { fault: 'the message cannot be decoded' };
  const { hello, sentAtMs, releases, spent, inUse } = message;
  if (isFirst !== (hello !== null)) return { fault: isFirst ? 'the first frame of a stream says hello' : 'hello is said once, in the first frame' };
  const fault = hello === null ? null : helloFault(hello);
  if (fault !== null) return { fault };
  if (!Number.isFinite(sentAtMs)) return { fault: `sent_at_ms is ${sentAtMs}` };
  if (message.acquires.length > ACQUIRES_MAX) return { fault: `the frame asks for ${message.acquires.length} locks; at most ${ACQUIRES_MAX} are allowed` };
  const acquires: { readonly id: AskId; readonly ask: Ask }[] = [];
  let last = 0;
  for (const { id, acquire } of message.acquires) {
    if (acquire === null) return { fault: `no acquire is in the request ${id}` };
    if (!Number.isSafeInteger(id) || id <= last) return { fault: `the id ${id} follows ${last}: ids are above 0, below 2^53, and rise` };
    last = id;
    acquires.push({ id, ask: acquire });
  }
  return { hello, frame: { sentAtMs, releases, spent, inUse, acquires } };
}

function helloFault({ session, secret, stream, keep }: HelloMessage): string | null {
  if (keep.length > KEEP_MAX) return `hello names ${keep.length} requests; at most ${KEEP_MAX} are allowed`;
  if (session.length < 8 || session.length > 32) return `the name of the session has ${session.length} bytes; 8 to 32 are allowed`;
  if (secret.length < 16 || secret.length > 32) return `the secret has ${secret.length} bytes; 16 to 32 are allowed`;
  return Number.isSafeInteger(stream) && stream > 0 ? null : `the number of the stream is ${stream}`;
}

export interface NodeWords {
  readonly leaseMs: number;
  readonly noQuorum: boolean;
  readonly nameOf: (id: AskId) => LockName | null;
  readonly ahead: (lock: LockName) => readonly string[];
}

export function frameMessage(frame: NodeFrame<SessionEndCause<unknown>>, { leaseMs, noQuorum, nameOf, ahead }: NodeWords): NodeFrameMessage {
  const { welcome, sentAtMs, ended, queued, held, valid, wanted, allValidForMs } = frame;
  const aheadOf = (id: AskId): readonly string[] => {
    const name = nameOf(id);
    return name === null ? [] : ahead(name);
  };
  return {
    welcome,
    sentAtMs,
    ended: ended.map(({ id, ended: cause }) => ({ id, ended: endedMessage(cause, leaseMs) })),
    queued: queued.map((id) => ({ id, ahead: aheadOf(id) })),
    held: held.map(({ id, token, validForMs, roomUntil = 0, passTo = [] }) => ({ id, token, validForMs, roomUntil, passTo })),
    valid, wanted,
    ...(allValidForMs === null ? {} : { allValidForMs }),
    noQuorum,
  };
}
