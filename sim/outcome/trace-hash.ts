/**
 * A running hash over everything that happens in a run. Two runs are the same run if and (but for a chance of 2^-64) only if
 * their hashes are equal. Cheap: always on.
 */
import type { Event, Message } from '../../src/core';
import type { Scene } from '../checks/scene';
import type { EffectOf, Entry, Performed, Witness } from '../checks/witness';
import { RunningHash } from './running-hash';

/** An account of a run as one number. */
export class TraceHash implements Witness {
  private readonly hash = new RunningHash();

  constructor(private readonly scene: Scene) {}

  /** 16 hexadecimal digits. */
  digest(): string {
    return this.hash.digest();
  }

  stepping(machine: number, event: Event): void {
    const { hash } = this;
    hash.addWide(this.scene.nowUs);
    hash.add(machine);
    hash.add(event.kind.charCodeAt(0) + 256 * event.kind.length);
    if (event.kind === 'message') hash.addWide(event.message.clock);
    else if (event.kind === 'acquire' || event.kind === 'release') hash.add(event.caller);
  }

  /** A message is hashed when it is sent; all its numbers are Lamport times but two. */
  sending(_from: number, to: number, _lock: number, message: Message): void {
    const { hash } = this;
    hash.add(to + 256 * message.kind.charCodeAt(2) + 65536 * message.lock.charCodeAt(0));
    hash.addWide(message.clock);
    hash.addWide(message.timestamp);
    switch (message.kind) {
      case 'request':
        hash.addWide(message.sentAtMs);
        hash.addWide(message.heldGrant ?? 0);
        return hash.add((message.mode === 'shared' ? 2 : 0) + (message.keep ? 1 : 0));
      case 'grant':
        hash.addWide(message.grant);
        hash.addWide(message.sentAtMs);
        hash.addWide(message.contenderTimestamp ?? 0);
        return hash.add(message.contended ? 1 : 0);
      case 'inquire':
        hash.addWide(message.contender.request.timestamp);
        return hash.addWide(message.grant);
      case 'yield':
        return hash.addWide(message.grant);
      case 'release':
        return hash.addWide(message.nextTimestamp ?? 0);
    }
  }

  entered({ machine, hold, validUntilMs }: Entry): void {
    const { hash } = this;
    hash.add(machine);
    hash.addWide(hold.token);
    hash.addWide(validUntilMs);
  }

  lost(_machine: number, { caller }: EffectOf<'lost' | 'recalled'>): void {
    this.hash.add(caller);
  }

  performed(effect: Performed): void {
    const { hash } = this;
    switch (effect.kind) {
      case 'ignored':
        return hash.add(1);
      case 'wake':
        return hash.addWide(effect.atMs);
      case 'renewed':
        return hash.addWide(effect.validUntilMs);
      case 'reserveCeiling':
        return hash.addWide(effect.ceiling);
      case 'wanted':
        return hash.add(effect.caller);
    }
  }
}
