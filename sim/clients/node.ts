/**
 * A node as its clients see it: a `ServedSession` for each session, driven as the service drives it, and requests to the quorum for
 * what their clients want. When it restarts, nothing of this is left.
 */
import { marginMs } from '../../src/core';
import type { ServedSessionEvent } from '../../src/core';
import { MILLION } from '../plan/random';
import { MachineClock, STOPPED_PPM } from '../world/machine-clock';
import { violated } from './check';
import { isOverFor, judgeHeldOn, judgeRoom, judgeWordForAll } from './judge-frames';
import type { Ask, Machines, NodeEffect, Reason, UpFrame } from './machines';
import type { Network, Stream } from './network';
import type { ClientsPlan } from './plan';
import { Process } from './process';
import { newRequest } from './quorum';
import type { Asker, Quorum, Request } from './quorum';
import { newMachine } from './served';
import type { Served, Wanted } from './served';
import type { Stage } from './stage';
import type { Truth } from './truth';

/** How long a node that stops gives its clients to give back. */
const GRACE_US = 500_000;

/** Requests are repeated so many times a lease. */
const REPEATS = 3;

/** With less than this share of a lease nobody enters. */
const ENTRY_SHARE = 0.1;

/** So many frames one after the other tell a client all that there is to tell. */
const TOLD_TURNS = 6;

export class ServingNode extends Process implements Asker {
  life = 0;
  isUp = true;
  private isStopping = false;
  private cutOffUntilUs = 0;
  /** Stands still while the machine sleeps. */
  private readonly monotonic: MachineClock;
  private sessions = new Map<string, Served>();
  private readonly wantedBy = new Map<Request, { readonly served: Served; readonly wanted: Wanted }>();

  constructor(
    stage: Stage,
    private readonly plan: ClientsPlan,
    readonly index: number,
    private readonly machines: Machines,
    private readonly quorum: Quorum,
    private readonly network: () => Network,
    private readonly truth: Truth,
  ) {
    super(stage, plan.nodeRatesPpm[index] ?? 0, 100_000);
    this.monotonic = new MachineClock(plan.nodeRatesPpm[index] ?? 0);
    this.repeatLater();
  }

  get isTaking(): boolean {
    return this.isUp && !this.isStopping;
  }

  /** Sessions and requests that it remembers. */
  get size(): number {
    return this.sessions.size + this.wantedBy.size;
  }

  /** Whether it still has anything for a client. */
  keepsFor(client: number): boolean {
    return [...this.sessions.values()].some(({ name, machine }) => name.startsWith(`c${client}.`) && machine.size > 0);
  }

  /** Whether it has this for a client that may still use it. */
  keeps(attempt: number): boolean {
    return [...this.wantedBy.values()].some(({ wanted }) => wanted.request.attempt === attempt && wanted.atLeastMs === 0);
  }

  hears(stream: Stream, frame: UpFrame): void {
    this.handle(false, () => this.isUp && stream.life === this.life && this.onFrame(stream, frame));
  }

  streamBroke(stream: Stream): void {
    this.handle(false, () => {
      if (!stream.isOpenAtNode) return;
      stream.isOpenAtNode = false;
      const served = this.sessions.get(stream.session);
      if (served === undefined || stream.life !== this.life) return;
      this.perform(served, served.machine.step({ kind: 'broke', nowMs: this.monotonicMs, stream: stream.number }));
    });
  }

  lent(request: Request, sentAtMs: number, token: number): void {
    this.fromQuorum(request, (served, wanted) => this.onLent(served, wanted, sentAtMs, token));
  }

  wanted(request: Request): void {
    this.fromQuorum(request, (served, wanted) => {
      // As the core, it is told once.
      if (wanted.isWanted) return;
      wanted.isWanted = true;
      if (wanted.state === 'holds') this.perform(served, served.machine.step({ kind: 'wanted', nowMs: this.monotonicMs, id: wanted.id }));
    });
  }

  notFree(request: Request): void {
    this.fromQuorum(request, (served, wanted) => {
      if (wanted.state === 'waits') this.refuseRequest(served, wanted, 'not free');
    });
  }

  robbed(request: Request): void {
    this.fromQuorum(request, (served, wanted) => {
      if (wanted.state !== 'holds') return;
      // The core renews it no more, and says so once (protocol.md section 13).
      wanted.state = 'lost';
      this.take(served, wanted, 'stolen');
    });
  }

  /** Its machine sleeps: it is frozen, and its monotonic clock stands still. */
  sleep(forUs: number): void {
    const { nowUs } = this.stage;
    this.monotonic.setRate(nowUs, STOPPED_PPM);
    this.freeze(forUs);
    this.stage.after(forUs, () => {
      this.monotonic.setRate(this.stage.nowUs, this.plan.nodeRatesPpm[this.index] ?? 0);
      for (const served of this.sessions.values()) this.afterStep(served);
    });
  }

  cutOff(forUs: number): void {
    this.cutOffUntilUs = this.stage.nowUs + forUs;
  }

  restart(downUs: number, isInOrder: boolean): void {
    if (!this.isUp || this.isStopping) return;
    if (!isInOrder) return this.die(downUs);
    this.isStopping = true;
    const { life } = this;
    this.handle(false, () => this.life === life && this.all({ kind: 'stops', nowMs: this.monotonicMs, reason: 'stops' }));
    this.stage.after(GRACE_US, () => this.die(downUs));
  }

  /** Timers fire for nothing. */
  wakeAll(): void {
    this.handle(true, () => this.all({ kind: 'wake', nowMs: this.monotonicMs }));
  }

  private get monotonicMs(): number {
    return 50_000 + this.monotonic.localUs(this.stage.nowUs) / 1_000;
  }

  private die(downUs: number): void {
    this.stage.tell('dies', this.index, this.life, () => `n${this.index}`);
    this.stage.count('nodes that restarted');
    this.isUp = false;
    this.isStopping = false;
    this.life++;
    this.sessions = new Map();
    this.wantedBy.clear();
    const { random } = this.stage;
    for (const stream of this.network().wholeOfNode(this.index)) {
      this.network().break(stream, { nodeUs: 0, clientUs: random.pick([0, 1_000, random.below(this.plan.leaseMs * 1_000)]), lossPpm: random.pick([0, MILLION]), again: false });
    }
    this.stage.after(downUs, () => (this.isUp = true));
  }

  private onFrame(stream: Stream, frame: UpFrame): void {
    let served = this.sessions.get(stream.session);
    if (served === undefined) {
      if (frame.hello === null) return;
      if (this.isStopping) return this.refuse(stream);
      served = { name: stream.session, machine: newMachine(this.machines, this.plan.leaseMs, this.plan.driftMaxPpm / MILLION), wanted: new Map(), newest: 0, stream: null, isFlushDue: false, wakeAtUs: Infinity };
      this.sessions.set(stream.session, served);
    }
    const { machine } = served;
    const isOlder = served.newest > 0 && (stream.number < served.newest || (stream.number === served.newest && !stream.isOpenAtNode));
    const before = [machine.wakeAtMs, machine.hasToSay, machine.isOver];
    const effects: NodeEffect[] = [];
    if (frame.hello !== null) {
      if (stream.number > served.newest) {
        if (served.newest > 0) this.stage.count('sessions that came back');
        if (served.stream !== null) served.stream.isReplaced = true;
        served.newest = stream.number;
        served.stream = stream;
      }
      effects.push(...machine.step({ kind: 'opened', nowMs: this.monotonicMs, stream: stream.number, keep: frame.hello.keep }));
    }
    effects.push(...machine.step({ kind: 'frame', nowMs: this.monotonicMs, stream: stream.number, frame }));
    if (isOlder) {
      this.stage.count('frames that came over an older stream to a node');
      const after = [machine.wakeAtMs, machine.hasToSay, machine.isOver];
      if (after.some((each, index) => each !== before[index]) || effects.some(({ kind }) => kind !== 'dropStream')) {
        violated('older-stream', `n${this.index} acts on a frame of stream ${stream.number} of session ${served.name}, which has stream ${served.newest} now: ${JSON.stringify(effects)}`);
      }
    }
    this.perform(served, effects);
    if (frame.hello !== null && !isOlder) for (const wanted of served.wanted.values()) if (wanted.state === 'lost') this.watchTold(served, wanted);
    // It came late, over a stream that the node knows to be over.
    if (!stream.isOpenAtNode) this.perform(served, machine.step({ kind: 'broke', nowMs: this.monotonicMs, stream: stream.number }));
  }

  private all(event: ServedSessionEvent<Ask, Reason>): void {
    for (const served of [...this.sessions.values()]) this.perform(served, served.machine.step(event));
  }

  private perform(served: Served, effects: readonly NodeEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'ask':
          this.ask(served, effect.id, effect.ask);
          break;
        case 'giveUp':
          this.giveBack(served, effect.id, effect.kind);
          break;
        case 'giveBack':
          this.giveBack(served, effect.id, effect.kind, effect.used);
          break;
        case 'send':
          this.stage.tell('node sends', this.index, effect.stream, () => `n${this.index}, session ${served.name}, stream ${effect.stream}: ${JSON.stringify(effect.frame)}`);
          this.stage.count('frames of nodes');
          if (effect.frame.ended.some(({ ended }) => ended.kind === 'unknown')) this.stage.count('told that a request is unknown');
          for (const { id, roomUntil } of effect.frame.held) {
            const wanted = served.wanted.get(id);
            if (wanted === undefined) continue;
            judgeRoom(this.index, wanted, roomUntil);
            wanted.toldAtMs ??= this.monotonicMs;
          }
          judgeWordForAll(this.index, served, effect.frame, this.nowMs);
          if (served.stream?.number === effect.stream) this.network().down(served.stream, effect.frame);
          break;
        case 'dropStream':
          this.drop(served, effect.stream);
          this.stage.count(`streams dropped: ${effect.why}`);
          break;
        case 'inUse': // Whoever waits goes on waiting, but not who takes it only if it is free.
          this.inUse(served, effect.id);
          break;
        case 'keepOn':
          this.stage.count('locks that are held on for nobody');
          isOverFor(served, effect.id);
          judgeHeldOn(this.index, served.wanted.get(effect.id), effect.untilMs);
          break;
      }
    }
    this.afterStep(served);
  }

  private drop(served: Served, number: number): void {
    const stream = this.network().wholeOfNode(this.index).find((each) => each.session === served.name && each.number === number);
    if (stream !== undefined) this.refuse(stream);
  }

  /** The node ends it. */
  private refuse(stream: Stream): void {
    this.network().break(stream, { nodeUs: 0, clientUs: this.network().delay(), lossPpm: 0, again: false });
  }

  private afterStep(served: Served): void {
    const { machine } = served;
    if (this.sessions.get(served.name) !== served) return;
    if (machine.isOver) {
      this.sessions.delete(served.name);
      return;
    }
    if (machine.hasToSay) this.speakSoon(served, this.plan.turnMaxUs, () => this.flush(served));
    const { wakeAtMs } = machine;
    if (wakeAtMs === Infinity) return;
    this.wakeInTime(served, this.monotonic.trueUs(Math.ceil((wakeAtMs - 50_000) * 1_000)), () => {
      if (this.sessions.get(served.name) === served) this.perform(served, machine.step({ kind: 'wake', nowMs: this.monotonicMs }));
    });
  }

  private flush(served: Served): void {
    if (this.sessions.get(served.name) !== served) return;
    const validForMs = (id: number): number => {
      const wanted = served.wanted.get(id);
      return wanted?.state === 'holds' ? Math.max(0, Math.floor(wanted.validUntilMs - this.nowMs)) : 0;
    };
    this.perform(served, served.machine.step({ kind: 'flush', nowMs: this.monotonicMs, validForMs }));
  }

  private ask(served: Served, id: number, { attempt, lock, mode, ifAvailable, steals, atLeastMs, keeps, passes }: Ask): void {
    const request = newRequest({ attempt, lock, mode, ifAvailable, steals, asker: this, life: this.life, sentAtMs: this.nowMs, keeps, client: passes ? served.name : null });
    this.stage.tell('node asks', this.index, attempt, () => `n${this.index}: lock ${lock} for request ${attempt}`);
    this.truth.nodeAsks(attempt, this.index);
    const wanted: Wanted = { request, id, state: 'waits', validUntilMs: 0, atLeastMs, toldAtMs: null, isWanted: false, isOverForClient: false };
    served.wanted.set(id, wanted);
    this.wantedBy.set(request, { served, wanted });
    if (this.stage.random.chance(this.plan.refusedPpm)) {
      this.wantedBy.delete(request);
      this.stage.after(500, () => this.handle(false, () => {
        if (served.wanted.get(id) === wanted) this.refuseRequest(served, wanted, 'refused');
      }));
    } else this.toQuorum(request);
  }

  private refuseRequest(served: Served, wanted: Wanted, reason: Reason): void {
    const { id, request } = wanted;
    this.forget(served, id, wanted);
    this.truth.nodeRefuses(request.attempt);
    this.perform(served, served.machine.step({ kind: 'refused', nowMs: this.monotonicMs, id, reason }));
  }

  /** Its client uses it, or enters it no more. */
  private inUse(served: Served, id: number): void {
    const wanted = served.wanted.get(id);
    if (wanted !== undefined && !this.isCutOff) this.stage.after(this.plan.delayMaxUs, () => this.quorum.isInUse(wanted.request));
  }

  private giveBack(served: Served, id: number, what: string, used?: number): void {
    const wanted = served.wanted.get(id);
    if (wanted === undefined) return;
    const { request, state, toldAtMs, atLeastMs } = wanted;
    if (state !== 'lost' && !this.isStopping && toldAtMs !== null && this.monotonicMs < toldAtMs + atLeastMs) {
      violated('held-on', `n${this.index} gives lock ${request.lock} back ${(toldAtMs + atLeastMs - this.monotonicMs).toFixed(3)} ms before request ${request.attempt} may be done with it`);
    }
    this.stage.tell(what, this.index, request.attempt, () => `n${this.index}: lock ${request.lock}, request ${request.attempt}`);
    this.forget(served, id, wanted);
    this.truth.nodeGivesBack(request.attempt, request.lock, this.index, what);
    if (!this.isCutOff) this.stage.after(this.network().delay(), () => this.quorum.released(request, used));
  }

  private forget(served: Served, id: number, wanted: Wanted): void {
    served.wanted.delete(id);
    this.wantedBy.delete(wanted.request);
  }

  private get isCutOff(): boolean {
    return this.cutOffUntilUs > this.stage.nowUs;
  }

  private toQuorum(request: Request): void {
    const sentAtMs = this.nowMs;
    if (!this.isCutOff) this.stage.after(this.network().delay(), () => this.quorum.asked(request, sentAtMs));
  }

  private fromQuorum(request: Request, run: (served: Served, wanted: Wanted) => void): void {
    if (this.isCutOff) return;
    this.stage.after(this.network().delay(), () => this.handle(false, () => {
      const known = this.wantedBy.get(request);
      if (known !== undefined) run(known.served, known.wanted);
      else if (this.isUp && request.life === this.life) this.quorum.released(request); // It was given up, and the word of it lost.
    }));
  }

  private onLent(served: Served, wanted: Wanted, sentAtMs: number, token: number): void {
    const { leaseMs, driftMaxPpm } = this.plan;
    const untilMs = sentAtMs + leaseMs - marginMs(leaseMs, driftMaxPpm / MILLION);
    if (wanted.state === 'lost' || this.ranOut(served, wanted)) return;
    wanted.validUntilMs = Math.max(wanted.validUntilMs, untilMs);
    const leftMs = Math.floor(wanted.validUntilMs - this.nowMs);
    if (wanted.state === 'waits') {
      if (leftMs < ENTRY_SHARE * leaseMs) return this.toQuorum(wanted.request);
      wanted.state = 'holds';
      const { roomUntil: until, passTo: behind } = wanted.request;
      const passTo = behind.flatMap((request) => this.wantedBy.get(request)?.wanted.id ?? []);
      const room = wanted.isWanted || until === 0 || (behind.length > 0 && passTo.length === 0) ? {} : { room: { until, passTo: behind.length === 0 ? null : passTo } };
      this.perform(served, served.machine.step({ kind: 'granted', nowMs: this.monotonicMs, id: wanted.id, token, validForMs: leftMs, atLeastMs: wanted.atLeastMs, ...room }));
    } else if (leftMs > 0) this.perform(served, served.machine.step({ kind: 'renewed', nowMs: this.monotonicMs, id: wanted.id, validForMs: leftMs }));
    this.stage.at(this.trueUs(wanted.validUntilMs), () => this.handle(true, () => this.ranOut(served, wanted)));
  }

  private ranOut(served: Served, wanted: Wanted): boolean {
    if (wanted.state !== 'holds' || this.nowMs < wanted.validUntilMs || served.wanted.get(wanted.id) !== wanted) return false;
    this.stage.count('locks that a node lost');
    wanted.state = 'lost';
    this.take(served, wanted, 'lost');
    return true;
  }

  private take(served: Served, wanted: Wanted, reason: Reason): void {
    this.perform(served, served.machine.step({ kind: 'taken', nowMs: this.monotonicMs, id: wanted.id, reason }));
    this.watchTold(served, wanted);
  }

  /** While there is a way to its client. Where there is none, it is told over the next stream. */
  private watchTold({ stream }: Served, { request: { attempt, lock } }: Wanted): void {
    const { nowUs } = this.stage;
    const { life } = this;
    // One that was told that its node stops may finish.
    if (stream === null || stream.brokeAtUs !== Infinity || this.isStopping) return;
    // A client with many locks is told of some in each turn.
    this.stage.after(TOLD_TURNS * (this.plan.delayMaxUs + this.plan.turnMaxUs) + 1_000, () => {
      if (stream.brokeAtUs === Infinity && this.life === life && !this.isStopping && !this.frozeSince(nowUs)) this.truth.mustKnow(attempt, lock, nowUs);
    });
  }

  private repeatLater(): void {
    this.stage.after(Math.floor((this.plan.leaseMs * 1_000) / REPEATS), () => {
      this.handle(true, () => {
        for (const { wanted } of [...this.wantedBy.values()]) if (wanted.state !== 'lost') this.toQuorum(wanted.request);
      });
      this.repeatLater();
    });
  }
}
