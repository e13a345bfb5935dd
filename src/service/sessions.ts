/**
 * The sessions of a node's clients, and the streams over which they come. Law: nobody goes on with a session but who shows its
 * secret; and of a client nothing is read while what it asked for is not done, or what it was told is not read.
 */
import { timingSafeEqual } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import type { ClientFrameMessage, HelloMessage, Malformed } from '../client-protocol/schema';
import type { LockName } from '../core';
import type { LockError } from '../errors';
import type { Connection } from './connections';
import { refuse } from './refuse';
import { SessionHost } from './session-host';
import type { SessionCall, SessionParts } from './session-host';
import { readFrame } from './session-words';

export class Sessions {
  private begun = 0;
  private readonly hosts = new Map<string, SessionHost>();
  private stopsBecause: LockError | null = null;

  constructor(private readonly parts: Omit<SessionParts, 'number' | 'onOver'>) {}

  /** How many want or hold something. */
  get inUse(): number {
    let count = 0;
    for (const host of this.hosts.values()) if (host.isInUse) count++;
    return count;
  }

  /** The locks that their clients may still use. */
  heldNames(): LockName[] {
    return [...this.hosts.values()].flatMap((host) => host.heldNames());
  }

  stop(reason: LockError): void {
    this.stopsBecause = reason;
    for (const host of [...this.hosts.values()]) host.stop(reason);
  }

  /** A stream begins. */
  accept(call: SessionCall): void {
    const connection = this.parts.admission.connectionOf(call);
    let host: SessionHost | null = null;
    let stream = 0;
    let isBusy = false;
    const readOn = (): void => {
      if (!isBusy && !call.writableNeedDrain && host?.isBehind !== true) call.resume();
    };
    const over = (): void => host?.onEnd(call, stream);
    call.on('data', (message: ClientFrameMessage | Malformed) => {
      const read = readFrame(message, host === null);
      if ('fault' in read) {
        over();
        return refuse(call, grpc.status.INVALID_ARGUMENT, read.fault);
      }
      if (host === null) {
        if (read.hello === null) return;
        host = this.hostOf(read.hello, connection);
        if (host === null) return refuse(call, grpc.status.PERMISSION_DENIED, 'the session is known, and the secret is not its own');
        ({ stream } = read.hello);
        host.open(call, stream, read.hello.keep, readOn);
      }
      isBusy = true;
      host.do(call, stream, connection, read.frame, () => {
        isBusy = false;
        readOn();
      });
      if (isBusy || call.writableNeedDrain || host.isBehind) call.pause();
    });
    call.on('drain', readOn);
    call.on('end', () => {
      over();
      call.end();
    });
    call.on('cancelled', over);
    // What ended the stream is told by 'cancelled'; unheard, the error would end the process.
    call.on('error', over);
  }

  /** Null: it is not this client's. */
  private hostOf({ session, secret }: HelloMessage, connection: Connection): SessionHost | null {
    const name = session.toString('latin1');
    const known = this.hosts.get(name);
    if (known !== undefined) return secret.length === known.secret.length && timingSafeEqual(secret, known.secret) ? known : null;
    const { parts } = this;
    const clientId = `${parts.node.id}/${connection.number}`;
    const host: SessionHost = new SessionHost({ ...parts, number: ++this.begun, onOver: () => void (this.hosts.get(name) === host && this.hosts.delete(name)) }, Buffer.from(secret), clientId, connection);
    this.hosts.set(name, host);
    if (this.stopsBecause !== null) host.stop(this.stopsBecause);
    return host;
  }
}
