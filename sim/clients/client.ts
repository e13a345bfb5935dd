/**
 * A client: a process that is no node, with a `ClientSession` to each node, driven as the library drives it. Its callers ask, are
 * inside while their `HeldLock` says so, and give back; who is failed by one node asks the next.
 */
import { assertNever } from '../../src/core';
import type { Validity } from '../../src/core';
import { violated } from './check';
import { Deadlines } from './deadlines';
import { KEEPALIVE_LEASES } from './draw';
import { judgeBack, judgeEcho, judgeSign } from './judge-frames';
import { Keeping, usedOf } from './keeping';
import type { Kept } from './keeping';
import { letNextIn, newMachine } from './link';
import type { Caller, Link } from './link';
import type { ClientEffect, DownFrame, Failure, Machines, Reason } from './machines';
import type { Network, Stream } from './network';
import { mayBeKept } from './plan';
import type { ClientsPlan } from './plan';
import { Process } from './process';
import type { Stage } from './stage';
import type { Hold, Truth } from './truth';

/** Attempts of all clients of a run have one numbering. */
export interface Numbering {
  next: number;
}

export class Client extends Process {
  private readonly links: readonly Link[];
  private readonly callers: readonly Caller[];
  private readonly deadlines: Deadlines;
  private isClosing = false;

  constructor(
    stage: Stage,
    private readonly plan: ClientsPlan,
    readonly index: number,
    private readonly machines: Machines,
    private readonly network: () => Network,
    private readonly truth: Truth,
    private readonly attempts: Numbering,
    /** Whether the quorum still lends to this request. */
    isLent: (attempt: number, lock: number) => boolean,
    /** Whether the node still has it for this client, and is not asked to hold it on. */
    private readonly isKept: (node: number, attempt: number) => boolean,
    /** Whether the node was frozen at some time since then. */
    hasFrozen: (node: number, sinceUs: number) => boolean,
  ) {
    super(stage, plan.clientRatesPpm[index] ?? 0, 5_000_000);
    this.links = plan.nodeRatesPpm.map((_, node) => ({ node, machine: newMachine(machines, plan), callers: new Map(), givenBack: new Map(), saidAtMs: new Map(), keeping: this.keepingAt(node), sessions: 0, stream: null, openedAtUs: 0, heardAtUs: 0, sentAtMs: -Infinity, early: 0, isFlushDue: false, wakeAtUs: Infinity }));
    this.callers = plan.wishes.filter(({ client }) => client === index).map((wish) => ({ wish, node: plan.keepers[index] === true ? index % plan.nodeRatesPpm.length : wish.node, state: 'away', attempt: 0, id: 0, hold: null, kept: null }));
    this.deadlines = new Deadlines(stage, plan, {
      who: `c${index}`, callers: this.callers.length, isDead: () => this.isDead, frozeSince: (trueUs) => this.frozeSince(trueUs),
      link: (node) => this.link(node), hasFrozen, isLent,
    });
    for (const caller of this.callers) {
      const { atUs, patienceUs } = caller.wish;
      stage.at(atUs, () => this.handle(true, () => this.ask(caller)));
      if (patienceUs !== null) stage.at(atUs + patienceUs, () => this.handle(true, () => this.giveUp(caller)));
    }
  }

  /** Every caller got what it wanted, or gave up. */
  get isDone(): boolean {
    return this.isDead || this.callers.every(({ state }) => state === 'done');
  }

  /** What it still keeps: locks to give back, streams. */
  get size(): number {
    return this.isDead ? 0 : this.links.filter(({ machine, stream }) => !machine.isIdle || stream?.isOpenAtClient === true).length;
  }

  describeOpen(): string {
    return this.callers.filter(({ state }) => state !== 'done').map(({ wish, state, node, attempt }) => `c${this.index} ${state} lock ${wish.lock} at n${node} (request ${attempt})`).join(', ');
  }

  hears(stream: Stream, frame: DownFrame): void {
    this.handle(false, () => {
      const link = this.link(stream.node);
      const { machine } = link;
      const isOlder = link.stream !== stream || !stream.isOpenAtClient;
      const before = [machine.wakeAtMs, machine.hasToSay, machine.isIdle];
      const effects = machine.step({ kind: 'heard', nowMs: this.nowMs, stream: stream.number, frame });
      if (isOlder) {
        this.stage.count('frames that came over an older stream to a client');
        const after = [machine.wakeAtMs, machine.hasToSay, machine.isIdle];
        if (effects.length > 0 || after.some((each, index) => each !== before[index])) {
          violated('older-stream', `c${this.index} acts on a frame of stream ${stream.number}, which is over: ${JSON.stringify(effects)}`);
        }
      } else link.heardAtUs = this.stage.nowUs;
      this.perform(link, effects);
      if (!isOlder) judgeEcho(this.index, link, frame);
    });
  }

  /** `isReached`: it was a stream once. */
  streamBroke(stream: Stream, isReached: boolean): void {
    this.handle(false, () => {
      if (!stream.isOpenAtClient) return;
      stream.isOpenAtClient = false;
      const link = this.link(stream.node);
      // Over another stream nobody enters again.
      for (const { kept } of link.callers.values()) kept?.machine.keepNoLonger();
      link.keeping.giveBackAll();
      const chance = this.stage.random.below(1_000) / 1_000;
      const givenBack = [...link.givenBack.values()];
      this.perform(link, link.machine.step({ kind: 'broke', nowMs: this.nowMs, stream: stream.number, failure: isReached ? 'broke' : 'unreachable', isFinal: false, chance }));
      judgeBack(this.index, link, givenBack);
    });
  }

  /** The process is killed: nobody is inside any more. */
  vanish(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.stage.count('clients that vanished');
    for (const caller of this.callers) {
      this.truth.clientIsDone(caller.attempt);
      if (caller.hold !== null) this.truth.left(caller.hold);
    }
    for (const { keeping } of this.links) keeping.vanish();
    for (const stream of this.network().wholeOfClient(this.index)) this.network().break(stream, { clientUs: 0, nodeUs: this.stage.random.pick([0, 20_000, KEEPALIVE_LEASES * 1_000 * this.plan.leaseMs]), lossPpm: 0, again: false });
  }

  close(): void {
    this.handle(false, () => {
      this.isClosing = true;
      for (const caller of this.callers) {
        if (caller.state === 'away') caller.state = 'done';
        else if (caller.state !== 'done') this.giveBack(caller);
      }
      for (const { keeping } of this.links) keeping.giveBackAll();
      for (const link of this.links) this.perform(link, link.machine.step({ kind: 'close', nowMs: this.nowMs }));
    });
  }

  /** Timers fire for nothing. */
  wakeAll(): void {
    this.handle(true, () => {
      for (const link of this.links) this.perform(link, link.machine.step({ kind: 'wake', nowMs: this.nowMs }));
    });
  }

  private keepingAt(node: number): Keeping {
    return new Keeping(this.stage, this.truth, {
      who: `c${this.index}`,
      nowMs: () => this.nowMs,
      at: (localMs, run) => this.stage.at(this.trueUs(localMs), () => this.handle(true, run)),
      giveBack: (kept) => {
        const link = this.link(node);
        link.givenBack.set(kept.id, kept.attempt);
        this.deadlines.free(kept.attempt, kept.lock, true);
        this.perform(link, link.machine.step({ kind: 'giveBack', nowMs: this.nowMs, id: kept.id, ...usedOf(kept) }));
      },
      believedUntilMs: this.machines.believedUntilMs, leaseMs: this.plan.leaseMs,
    });
  }

  private link(node: number): Link {
    const link = this.links[node];
    if (link === undefined) throw new RangeError(`there is no node ${node}`);
    return link;
  }

  private ask(caller: Caller): void {
    if (this.isClosing || caller.state !== 'away') return;
    const link = this.link(caller.node);
    const { machine } = link;
    const again = mayBeKept(caller.wish) ? link.keeping.enterAgain(caller.wish.lock) : null;
    if (again !== null) {
      const { kept, token } = again;
      Object.assign(caller, { attempt: kept.attempt, id: kept.id, kept });
      link.callers.set(kept.id, caller);
      this.truth.clientAsks(kept.attempt);
      return this.enter(caller, kept.promisedUntilMs, token);
    }
    caller.state = 'asks';
    caller.attempt = this.attempts.next++;
    caller.id = machine.nextId;
    link.callers.set(caller.id, caller);
    const { attempt, id, wish: { lock, mode, ifAvailable, steals, maxHoldMs, atLeastMs } } = caller;
    this.stage.tell('asks', this.index, attempt, () => `c${this.index} asks n${link.node} for lock ${lock}: request ${attempt}, id ${id}`);
    this.truth.clientAsks(attempt);
    const answerWithinMs = this.plan.answerMs;
    this.deadlines.answer(caller, attempt, this.stage.nowUs);
    const mayKeep = mayBeKept(caller.wish);
    const ask = { attempt, lock, mode, ifAvailable, steals, atLeastMs, keeps: this.plan.keepers[this.index] === true && mayKeep, passes: mayKeep && !ifAvailable };
    this.perform(link, machine.step({ kind: 'ask', nowMs: this.nowMs, id, ask, answerWithinMs, maxHoldMs: maxHoldMs ?? Infinity }));
  }

  private giveUp(caller: Caller): void {
    if (caller.state === 'away') caller.state = 'done';
    else if (caller.state === 'asks') this.giveBack(caller);
  }

  private giveBack(caller: Caller): void {
    const link = this.link(caller.node);
    const { id, attempt, wish: { lock } } = caller;
    const wasTold = caller.state !== 'asks';
    const { kept } = caller;
    if (caller.state === 'holds' && !this.isClosing && kept !== null && this.passOn(link, caller, kept)) return;
    const isIdle = caller.state === 'holds' && !this.isClosing && kept?.passTo === null && kept.machine.leave(this.nowMs, kept.promisedUntilMs);
    caller.state = 'done';
    caller.kept = null;
    this.leave(caller);
    this.truth.clientIsDone(attempt);
    link.callers.delete(id);
    if (isIdle && kept !== null) return link.keeping.idles(kept);
    link.givenBack.set(id, attempt);
    this.stage.tell('gives back', this.index, attempt, () => `c${this.index}: lock ${lock}, request ${attempt}`);
    this.deadlines.free(attempt, lock, wasTold);
    this.perform(link, link.machine.step({ kind: 'giveBack', nowMs: this.nowMs, id, ...usedOf(kept) }));
  }

  /** To the first of those behind that still wait, if there is one and it may be. Its own request is over by that. */
  private passOn(link: Link, caller: Caller, kept: Kept): boolean {
    const passed = letNextIn(link, kept, this.nowMs, this.plan.leaseMs);
    if (passed === null) return false;
    const { next, id, attempt, token } = passed;
    caller.state = 'done';
    caller.kept = null;
    this.leave(caller);
    this.stage.tell('passes on', this.index, attempt, () => `c${this.index}: lock ${kept.lock}, request ${kept.attempt}, to request ${attempt}`);
    this.stage.count('locks passed on by clients');
    this.truth.clientIsDone(attempt);
    this.enter(next, kept.promisedUntilMs, token);
    this.perform(link, link.machine.step({ kind: 'giveBack', nowMs: this.nowMs, id }));
    return true;
  }

  private leave(caller: Caller): void {
    if (caller.hold !== null) this.truth.left(caller.hold);
    caller.hold = null;
  }

  private perform(link: Link, effects: readonly ClientEffect[]): void {
    for (const effect of effects) this.performOne(link, effect);
    this.afterStep(link);
  }

  private performOne(link: Link, effect: ClientEffect): void {
    switch (effect.kind) {
      case 'openStream':
        if (effect.isNew) link.sessions++;
        link.openedAtUs = this.stage.nowUs;
        link.stream = this.network().open(this.index, link.node, effect.stream, `c${this.index}.n${link.node}.${link.sessions}`);
        return;
      case 'endStream':
        if (link.stream?.number === effect.stream) this.network().endByClient(link.stream);
        return;
      case 'send':
        this.stage.tell('client sends', this.index, effect.stream, () => `c${this.index} to n${link.node}, stream ${effect.stream}: ${JSON.stringify(effect.frame)}`);
        this.stage.count('frames of clients');
        judgeSign(this.index, link, effect.frame, this.nowMs, this.plan.leaseMs);
        if (link.stream?.number === effect.stream) this.network().up(link.stream, effect.frame);
        return;
      case 'over': {
        const attempt = link.givenBack.get(effect.id);
        link.givenBack.delete(effect.id);
        if (effect.isHeard && attempt !== undefined && this.isKept(link.node, attempt)) violated('told-when-given-back', `c${this.index} hears that n${link.node} knows that request ${attempt} was given back, and the node has it still`);
        return;
      }
      case 'wanted':
        return this.onWanted(link, effect.id);
      case 'queued':
      case 'held':
      case 'valid':
      case 'ended':
      case 'failed': {
        const idle = link.keeping.of(effect.id);
        if (idle !== undefined) return effect.kind === 'queued' ? undefined : link.keeping.onWord(idle, 'validity' in effect ? effect.validity : null);
        const caller = link.callers.get(effect.id);
        if (caller === undefined) return;
        const wasTold = this.deadlines.told.has(caller.attempt);
        this.deadlines.told.add(caller.attempt);
        return this.onWord(caller, effect, wasTold);
      }
      default:
        return assertNever(effect);
    }
  }

  private onWord(caller: Caller, effect: ClientEffect & { readonly kind: 'queued' | 'held' | 'valid' | 'ended' | 'failed' }, wasTold: boolean): void {
    switch (effect.kind) {
      case 'queued':
        return this.stage.count('told that they wait');
      case 'held':
        return this.onHeld(caller, effect.validity, effect.token, effect.roomUntil, effect.passTo);
      case 'valid':
        return this.onValid(caller, effect.validity);
      case 'ended':
        return this.onEnd(caller, effect.ended.kind === 'reason' ? effect.ended.reason : effect.ended.kind, effect.wasHeld, wasTold);
      case 'failed':
        return this.onEnd(caller, effect.failure ?? 'no answer', effect.wasHeld, wasTold);
      default:
        return assertNever(effect);
    }
  }

  /** Others want it: what is used by nobody is given back. */
  private onWanted(link: Link, id: number): void {
    const idle = link.keeping.of(id);
    if (idle !== undefined) return link.keeping.giveBack(idle);
    const kept = link.callers.get(id)?.kept ?? null;
    if (kept === null) return;
    kept.machine.keepNoLonger();
    this.stage.count('locks in use when others wanted them');
    this.perform(link, link.machine.step({ kind: 'inUse', nowMs: this.nowMs, id }));
  }

  private onHeld(caller: Caller, validity: Validity, token: number, roomUntil: number | undefined, passTo: readonly number[] | undefined): void {
    const { attempt, id, wish: { lock, maxHoldMs } } = caller;
    const untilMs = this.machines.believedUntilMs(validity);
    if (roomUntil !== undefined) caller.kept = { attempt, id, lock, machine: new this.machines.KeptLock(token, roomUntil, this.plan.leaseMs), passTo: passTo === undefined || passTo.length === 0 ? null : [...passTo], promisedUntilMs: untilMs };
    // Counted from the last sign of life that its node had heard: never longer than the node counts (protocol.md section 13.1).
    this.enter(caller, untilMs, token, maxHoldMs === null ? Infinity : validity.sentAtMs + maxHoldMs);
  }

  private enter(caller: Caller, untilMs: number, token: number, endsAtMs = Infinity): void {
    const { attempt, wish: { lock, mode, holdUs } } = caller;
    this.stage.tell('holds', this.index, attempt, () => `c${this.index}: lock ${lock}, request ${attempt}, token ${token}, for ${(untilMs - this.nowMs).toFixed(3)} ms`);
    this.stage.count('entries');
    caller.state = 'holds';
    const belief = new this.machines.HeldLock(untilMs, endsAtMs);
    const hold: Hold = {
      attempt, lock, mode, client: this.index, belief, endsAtMs, validForMs: () => (this.isDead ? 0 : belief.validForMs(this.nowMs)), nowMs: () => this.nowMs,
      frozeSince: (trueUs) => this.frozeSince(trueUs),
    };
    caller.hold = hold;
    if (Math.min(untilMs, endsAtMs) <= this.nowMs) return this.lose(caller, 'late');
    this.truth.entered(hold, token);
    this.stage.after(holdUs, () => this.handle(true, () => caller.state === 'holds' && caller.hold === hold && this.giveBack(caller)));
    this.watchBelief(caller, hold, Math.min(untilMs, endsAtMs));
  }

  private onValid(caller: Caller, validity: Validity): void {
    const { hold, kept } = caller;
    if (kept !== null) kept.promisedUntilMs = Math.max(kept.promisedUntilMs, this.machines.believedUntilMs(validity));
    if (hold === null || caller.state !== 'holds' || this.ranOut(caller, hold)) return;
    if (!hold.belief.told(validity)) return;
    this.stage.count('words that prolong');
    this.truth.prolonged(hold);
    this.watchBelief(caller, hold, Math.min(this.machines.believedUntilMs(validity), hold.endsAtMs));
  }

  private watchBelief(caller: Caller, hold: Hold, untilMs: number): void {
    this.stage.at(this.trueUs(untilMs), () => this.handle(true, () => this.ranOut(caller, hold)));
  }

  private ranOut(caller: Caller, hold: Hold): boolean {
    if (caller.hold !== hold || !hold.belief.runsOut(this.nowMs)) return false;
    this.lose(caller, 'ran out');
    return true;
  }

  private onEnd(caller: Caller, why: Reason | Failure | 'silent' | 'reads-nothing' | 'unknown' | 'no answer', wasHeld: boolean, wasTold: boolean): void {
    this.stage.tell('is told of an end', this.index, caller.attempt, () => `c${this.index}: request ${caller.attempt}, ${why}`);
    this.stage.count(`ended: ${why}${wasHeld ? ', held' : ''}`);
    if (wasHeld) {
      // A node that stops has given nothing on: the caller may finish.
      if (why !== 'stops') this.lose(caller, why);
      return;
    }
    // A break ends what the node never spoke of: one that was told that it waits keeps its place.
    const isRefused = why === 'refused' || why === 'not free';
    if (!isRefused && why !== 'unreachable' && (why !== 'broke' || wasTold)) this.truth.clientLoses(caller.attempt, why);
    this.link(caller.node).callers.delete(caller.id);
    this.truth.clientIsDone(caller.attempt);
    caller.state = 'away';
    if (isRefused) return void (caller.state = 'done');
    caller.node = (caller.node + 1) % this.links.length;
    this.stage.after(this.stage.random.between(10_000, 120_000), () => this.handle(true, () => this.ask(caller)));
  }

  /** The caller cleans up, and then gives back. */
  private lose(caller: Caller, why: string): void {
    if (caller.state !== 'holds') return;
    this.truth.clientLoses(caller.attempt, why);
    this.stage.tell('loses', this.index, caller.attempt, () => `c${this.index}: request ${caller.attempt}, ${why}`);
    this.stage.count(`lost: ${why}`);
    caller.state = 'lost';
    caller.hold?.belief.lose();
    const { attempt } = caller;
    const cleanUpUs = this.stage.random.pick([0, 5_000, this.stage.random.below(this.plan.leaseMs * 1_000)]);
    this.stage.after(cleanUpUs, () => this.handle(true, () => caller.state === 'lost' && caller.attempt === attempt && this.giveBack(caller)));
  }

  private afterStep(link: Link): void {
    const { machine } = link;
    if (machine.hasToSay) {
      this.speakSoon(link, this.plan.turnMaxUs, () => {
        if (machine.hasToSay) this.perform(link, machine.step({ kind: 'flush', nowMs: this.nowMs }));
      });
    }
    const { wakeAtMs } = machine;
    const atUs = Number.isFinite(wakeAtMs) ? this.trueUs(wakeAtMs) : wakeAtMs;
    this.wakeInTime(link, atUs, () => this.perform(link, machine.step({ kind: 'wake', nowMs: this.nowMs })));
  }
}
