/**
 * One stream of one client that watches a lock: carries from `WatchedLock`, which knows what comes next, to gRPC.
 * Law: nothing is made before the client can take it, so that of what it does not read one message waits and no more.
 */
import * as grpc from '@grpc/grpc-js';
import type { Malformed, WatchEventMessage, WatchRequest } from '../client-protocol/schema';
import { lockInfoMessage, wireChange } from '../client-protocol/wire-words';
import type { NodeLockManager } from '../locks/lock-manager';
import type { Admission } from './admission';
import type { Connection } from './connections';
import { MISSED, WatchedLock } from './watched-lock';

export type WatchCall = grpc.ServerWritableStream<WatchRequest | Malformed, WatchEventMessage>;

export class ServedWatch {
  private readonly watched: WatchedLock;
  private readonly connection: Connection;
  private readonly stopFollowing: () => void;
  private isDue = false;
  private isOver = false;
  /** While a message waits to be read. */
  private unread: NodeJS.Timeout | undefined;

  constructor(
    private readonly call: WatchCall,
    locks: NodeLockManager,
    name: string,
    private readonly admission: Admission,
  ) {
    this.connection = admission.connectionOf(call);
    const followed = locks.follow(name, (change) => {
      this.watched.onChange(change);
      this.wake();
    });
    this.stopFollowing = followed.stop;
    this.watched = new WatchedLock(followed);
    call.once('close', () => this.stop());
    call.once('cancelled', () => this.stop());
    this.wake();
  }

  /** Tells nothing more. */
  stop(): void {
    this.isOver = true;
    clearTimeout(this.unread);
    this.stopFollowing();
  }

  /** End the stream with this status, after what is on its way. */
  end(code: grpc.status, details: string): void {
    if (this.isOver) return;
    this.stop();
    this.call.emit('error', { code, details });
  }

  private wake(): void {
    if (this.isDue || this.unread !== undefined || this.isOver) return;
    this.isDue = true;
    this.admission.turns.run(this.connection, () => {
      this.isDue = false;
      this.tellNext();
    });
  }

  private tellNext(): void {
    const next = this.isOver ? undefined : this.watched.next();
    if (next === undefined) return;
    this.unread = setTimeout(() => this.onUnread(), this.admission.limits.unreadMs).unref();
    const message: WatchEventMessage = next === MISSED
      ? { change: 'CHANGE_MISSED' }
      : { change: wireChange(next.change), lock: lockInfoMessage(next.lock) };
    this.call.write(message, () => {
      clearTimeout(this.unread);
      this.unread = undefined;
      this.wake();
    });
  }

  private onUnread(): void {
    this.end(grpc.status.RESOURCE_EXHAUSTED, `the client has read nothing for ${this.admission.limits.unreadMs} ms; watch again to begin with the present holders`);
  }
}
