/** What a client of the simulation has at one node: its end of a session, and who of its callers asks there. */
import { marginMs } from '../../src/core';
import { MILLION } from '../plan/random';
import type { Ask, Cause, Failure, Machines } from './machines';
import { judgeUsable } from './keeping';
import type { Keeping, Kept } from './keeping';
import { LATE_LEASES_MAX } from './network';
import type { Stream } from './network';
import type { ClientsPlan, Wish } from './plan';
import type { Coming } from './process';
import type { Hold } from './truth';

/** One caller. */
export interface Caller {
  readonly wish: Wish;
  node: number;
  state: 'away' | 'asks' | 'holds' | 'lost' | 'done';
  attempt: number;
  id: number;
  hold: Hold | null;
  /** Of a lock that is held: how it is kept when it is used no longer; null: not at all. */
  kept: Kept | null;
}

export interface Link extends Coming {
  readonly node: number;
  readonly machine: ReturnType<typeof newMachine>;
  readonly callers: Map<number, Caller>;
  /** Attempts that were given back, by id, until the machine says that it is done with them. */
  readonly givenBack: Map<number, number>;
  /** When the frame was sent that gave those back, by the client's clock. */
  readonly saidAtMs: Map<number, number>;
  readonly keeping: Keeping;
  sessions: number;
  stream: Stream | null;
  /** When that was opened, and when the node was heard last, in true time. */
  openedAtUs: number;
  heardAtUs: number;
  /** When the newest frame was sent, by the client's clock; and how many in a row have said nothing before they were due. */
  sentAtMs: number;
  early: number;
}

export function newMachine({ ClientSession }: Machines, { answerMs, idleMs, frameBytesMax }: ClientsPlan): InstanceType<typeof ClientSession<Ask, Cause, Failure>> {
  return new ClientSession<Ask, Cause, Failure>({ answerMs, idleMs, frameBytesMax, bytesOf: () => 10 });
}

/** The first of those behind that still wait has the lock from now on, under the request by which it was had. Null: there is none, or it may not be. */
export function letNextIn(link: Link, kept: Kept, nowMs: number, leaseMs: number): { readonly next: Caller; readonly id: number; readonly attempt: number; readonly token: number } | null {
  for (let id = kept.passTo?.shift(); id !== undefined; id = kept.passTo?.shift()) {
    const next = link.callers.get(id);
    if (next?.state !== 'asks') continue;
    const token = kept.machine.enter(nowMs, kept.promisedUntilMs);
    if (token === null) return null;
    judgeUsable(kept, nowMs, leaseMs);
    const { attempt } = next;
    link.callers.delete(id);
    link.givenBack.set(id, attempt);
    Object.assign(next, { attempt: kept.attempt, id: kept.id, kept });
    link.callers.set(kept.id, next);
    return { next, id, attempt, token };
  }
  return null;
}

/** A way back takes so long at most while nothing but streams breaks: the wait before the first or second attempt, and a few messages. */
const BACK_US = 350_000;

/**
 * In its time limit and two leases: each stream gives the node that time anew, and so does a sign of life of one that froze after it. Of many that are asked for together each turn sends at least one more: `asked` is how many those are at most.
 */
export function answeredWithinUs({ answerMs, leaseMs, turnMaxUs }: ClientsPlan, asked: number): number {
  return (answerMs + 2 * leaseMs) * 1_000 + asked * turnMaxUs;
}

/**
 * Nothing but streams breaks: the word that a lock is given back reaches the node, with the stream that is open or the next. But for what it
 * was never told, a client tries no second time to come back (pinned: seed 23628). Then the node misses it after a lease of silence, which
 * begins when what was asked for comes over the broken stream (pinned: seed 49355).
 */
export function givenBackWithinUs({ delayMaxUs, turnMaxUs, profile, leaseMs, driftMaxPpm }: ClientsPlan, wasTold: boolean): number {
  const backUs = profile === 'calm' ? 1_000 : 2 * BACK_US;
  const missedUs = wasTold || profile === 'calm' ? 0 : ((1 + LATE_LEASES_MAX) * leaseMs + marginMs(leaseMs, driftMaxPpm / MILLION)) * 1_000;
  return 4 * (delayMaxUs + turnMaxUs) + backUs + missedUs;
}
