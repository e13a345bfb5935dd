/**
 * One stream of one client that observes who leads. Law: of what the client does not read one message waits and no more, and the
 * newest takes the place of those between.
 */
import * as grpc from '@grpc/grpc-js';
import type { Malformed, ObserveEventMessage, ObserveRequest } from '../client-protocol/schema';
import { leaderMessage } from '../client-protocol/wire-words';
import type { LockName } from '../core';
import { isSameLeader } from '../locks/leader-watch';
import { Latest } from '../locks/latest';
import type { NodeLockManager } from '../locks/lock-manager';
import type { Leader } from '../locks/types';
import type { Admission } from './admission';

export type ObserveCall = grpc.ServerWritableStream<ObserveRequest | Malformed, ObserveEventMessage>;

export class ServedObserve {
  private readonly leaders: Latest<Leader | null>;
  private isOver = false;

  constructor(
    private readonly call: ObserveCall,
    locks: NodeLockManager,
    name: LockName,
    private readonly admission: Admission,
  ) {
    this.leaders = new Latest((tell) => locks.followLeader(name, tell), isSameLeader);
    call.once('close', () => this.stop());
    call.once('cancelled', () => this.stop());
    void this.tellAll();
  }

  /** End the stream with this status, after what is on its way. */
  end(code: grpc.status, details: string): void {
    if (this.isOver) return;
    this.stop();
    this.call.emit('error', { code, details });
  }

  private stop(): void {
    this.isOver = true;
    void this.leaders.return();
  }

  private async tellAll(): Promise<void> {
    try {
      for await (const leader of this.leaders) await this.tell(leader);
    } catch (error) {
      // The node takes no requests any more: another one tells.
      this.end(grpc.status.UNAVAILABLE, error instanceof Error ? error.message : String(error));
    }
  }

  /** Resolves when it was read, as far as gRPC tells. */
  private tell(leader: Leader | null): Promise<void> {
    const { call, admission } = this;
    const { unreadMs } = admission.limits;
    return new Promise((resolve) => {
      const unread = setTimeout(() => {
        this.end(grpc.status.RESOURCE_EXHAUSTED, `the client has read nothing for ${unreadMs} ms; observe again to begin with the present leader`);
        resolve();
      }, unreadMs).unref();
      admission.turns.run(admission.connectionOf(call), () => {
        if (this.isOver) return done();
        call.write({ leader: leader === null ? null : leaderMessage(leader) }, done);
      });
      function done(): void {
        clearTimeout(unread);
        resolve();
      }
    });
  }
}
