/**
 * What a node without memory does before it takes part: a node whose ceiling is lost does not know which clock values it has
 * used, nor which tokens its votes allowed. It learns from peers that do remember.
 * Law: it neither lends nor asks before its clock exceeds every token that a vote of its earlier life could have allowed, as far
 * as those who remember can tell; and it never waits for that longer than a second lease, for a lost disk stops no cluster.
 * Source: protocol.md section 3.2.
 *
 * Why it works. Every earlier token T was taken under a quorum, with T at most SLACK above each of its clocks. Those who
 * remember and were heard meet every quorum, so one of them had sent a clock of at least T - SLACK. It was heard *after* the
 * silence: by then no vote of the earlier life is valid any more, and no token can be taken with one.
 */
import { meetsEveryQuorum } from '../quorum/coterie';
import { sendRelease } from './asking';
import type { Context } from './context';
import type { LamportTime, LockName, Message, NodeId } from './messages';

/** A node's own lock, which it alone asks for, and only to hear clocks: the Grant echoes when it asked. Silent arbiters grant it too. */
export function clockLockOf(node: NodeId): LockName {
  return `-clock of ${node}`;
}

type State =
  /** It remembers, or has learned. */
  | { readonly kind: 'known' }
  /** Silent: votes of its earlier life may still be valid. */
  | { readonly kind: 'waiting'; readonly untilMs: number }
  | {
      readonly kind: 'asking';
      readonly sinceMs: number;
      readonly untilMs: number;
      repeatAtMs: number;
      /** The request that each peer was asked by, while it has not answered. */
      readonly asked: Map<NodeId, LamportTime>;
      readonly heard: Set<NodeId>;
    };

type Asking = Extract<State, { kind: 'asking' }>;

export class Memory {
  private state: State = { kind: 'known' };
  /** Peers that said in their handshake that they remember. */
  private readonly remembering = new Set<NodeId>();
  private readonly lock: LockName;

  constructor(private readonly context: Context) {
    this.lock = clockLockOf(context.settings.self);
  }

  get isKnown(): boolean {
    return this.state.kind === 'known';
  }

  /** When something is due here, in `nowMs`; or Infinity. */
  get earliestMs(): number {
    switch (this.state.kind) {
      case 'known':
        return Infinity;
      case 'waiting':
        return this.state.untilMs;
      case 'asking':
        return Math.min(this.state.repeatAtMs, this.state.untilMs);
    }
  }

  /** Everything before this life is forgotten; votes of it may be valid until then. */
  lose(untilMs: number): void {
    this.state = { kind: 'waiting', untilMs };
  }

  /** It takes part from now on. Nobody needs to answer any more. */
  settle(): void {
    if (this.state.kind === 'asking') for (const [peer, timestamp] of this.state.asked) sendRelease(this.context, peer, this.lock, timestamp);
    this.state = { kind: 'known' };
  }

  peerUp(peer: NodeId, remembers: boolean): void {
    if (remembers) this.remembering.add(peer);
    else this.remembering.delete(peer);
    if (this.state.kind === 'asking') this.ask(peer, this.state);
  }

  isAbout({ lock }: Message): boolean {
    return lock === this.lock;
  }

  /** Ask, and ask again. Returns whether it is time to do with what there is. */
  onTime(): boolean {
    const { nowMs, settings } = this.context;
    if (this.state.kind === 'waiting' && nowMs >= this.state.untilMs) {
      this.state = { kind: 'asking', sinceMs: nowMs, untilMs: nowMs + settings.leaseMs, repeatAtMs: nowMs, asked: new Map(), heard: new Set() };
    }
    const { state } = this;
    if (state.kind !== 'asking') return false;
    if (nowMs >= state.untilMs) return true;
    if (nowMs < state.repeatAtMs) return false;
    state.repeatAtMs = nowMs + settings.retryMs;
    for (const peer of this.remembering) this.ask(peer, state);
    return false;
  }

  /** A Grant of the node's own lock, whose clock was witnessed already. Returns whether enough is known now. */
  onGrant(from: NodeId, message: Extract<Message, { kind: 'grant' }>): boolean {
    const { state } = this;
    sendRelease(this.context, from, this.lock, message.timestamp);
    if (state.kind !== 'asking' || state.asked.get(from) !== message.timestamp) return false;
    state.asked.delete(from);
    // Whoever grants this lock remembers, whatever its last handshake said: no other arbiter does.
    if (message.sentAtMs < state.sinceMs) return false;
    state.heard.add(from);
    return meetsEveryQuorum(this.context.settings.coterie, state.heard);
  }

  private ask(peer: NodeId, { asked, heard }: Asking): void {
    if (!this.remembering.has(peer) || heard.has(peer)) return;
    const { clock, nowMs } = this.context;
    // The same question again, or a new one; never one that is over.
    const timestamp = asked.get(peer) ?? clock.tick();
    asked.set(peer, timestamp);
    this.context.send(peer, {
      kind: 'request', lock: this.lock, clock: clock.now, timestamp, mode: 'exclusive', claim: 'waits', keep: false, sentAtMs: nowMs, heldGrant: null,
    });
  }
}
