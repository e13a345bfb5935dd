/**
 * Drives one core for real: turns calls, messages and time into events, and performs the effects.
 * The only place with timers. Law: it decides nothing about locks; every decision is the core's.
 * A broken invariant stops the node at once: no lock is better than a wrong one.
 */
import { SILENCE_MAX_MS, apartForMs, durableClock, inspectLock, isMute, lockNames, remembers, silentForMs, step } from '../core';
import type {
  CallerId, Candidacy, CandidacyOrder, ClientNumber, CredibleClock, Effect, Event, LamportTime, LendingTerms, LockName, LockNode, LockView, Message, MessageKind, Mode, NodeId, Thief,
  Token,
} from '../core';
import { assertNever } from '../core';
import { LockError } from '../errors';
import type { Logger } from '../log';
import { lockNameFault } from '../lock-name';
import type { Greeting, Transport } from '../transport/transport';
import type { DataDirectory } from './data-directory';
import { lendingOf } from './lending';
import type { Lending } from './lending';
import type { NodeTime } from './monotonic-time';

/** How long to wait before a ceiling that could not be written is written again. */
const CEILING_RETRY_MS = 1_000;

/** How long it may go unnoticed that the machine slept: timers stand still meanwhile, and come that much too late. */
const SLEEP_UNNOTICED_MS = 200;

/** Who wants a lock. Each is called back at most once with `entered`, and after that at most once with `lost` or `recalled`. */
export interface Caller {
  /** How others are told of it. */
  readonly title: string;
  /** It wants the lock for somebody in another process, who may hear late of what happens here. */
  readonly isRemote: boolean;
  /** That somebody means to keep the lock when it is done with it, until others want it. */
  readonly keeps: boolean;
  /** Of which client, if that passes the lock on to others of its own. */
  readonly client: ClientNumber | null;
  /**
   * `roomUntil`: so high are the tokens that one which keeps the lock may take by itself; undefined: it may not enter again. `passTo`: those
   * whom its client may let in with them instead.
   */
  entered(token: Token, validUntilMs: number, roomUntil: Token | undefined, passTo: readonly CallerId[] | undefined): void;
  /** Others want it: it is entered no further time. */
  wanted(): void;
  renewed(validUntilMs: number): void;
  /** The lock is not held any more, or (before `entered`) never will be. */
  lost(reason: LockError): void;
  /** Of one that is remote: the lock is to be released as soon as nobody counts on it. */
  recalled(reason: LockError): void;
}

/** Messages of the protocol since the node started. Those to itself are not counted. */
interface MessageCounts {
  readonly sent: Record<MessageKind, number>;
  readonly received: Record<MessageKind, number>;
  /** Messages dropped by the core, by reason. */
  readonly ignored: Record<string, number>;
}

export interface RuntimeParts {
  readonly id: NodeId;
  readonly core: LockNode;
  readonly transport: Transport;
  readonly dataDirectory: DataDirectory;
  readonly time: NodeTime;
  readonly log: Logger;
  /** When this node may begin to lend its vote. Left out where every node has the same configuration: as soon as the core does. */
  readonly candidacy?: Candidacy;
  /** Which clocks of peers are believed. Left out where all of them are this process's own: all are. */
  readonly credible?: CredibleClock;
  /** What the data directory says until the node lends its vote, and from then on. */
  readonly terms?: { readonly whileSilent: LendingTerms; readonly whenLending: LendingTerms };
  /** Told of each event and its effects, or of null when the core threw. */
  readonly record?: (event: Event, effects: readonly Effect[] | null) => void;
}

export class Runtime {
  readonly counts: MessageCounts = {
    sent: { request: 0, grant: 0, release: 0, inquire: 0, yield: 0 },
    received: { request: 0, grant: 0, release: 0, inquire: 0, yield: 0 },
    ignored: {},
  };
  /** How often callers of this node entered a lock. */
  entries = 0;
  /** Aborted when this life is over, with why. */
  readonly ended = new AbortController();
  /** Aborts as soon as the node begins to stop, with why. */
  readonly stops = new AbortController();
  /** Called when it may have changed what this node can do: at once for what is heard, and soon for what comes with time. */
  onReach: () => void = () => undefined;
  /** It lost its memory, and too few peers could tell: its tokens exceed earlier ones as far as the wall clocks agree. */
  restsOnWallClocks = false;
  /** Called when the node has heard something of other configurations, or has begun to lend its vote. */
  onCandidacy: () => void = () => undefined;
  /** Peers that were connected in this life. */
  private readonly met = new Set<NodeId>();
  /** Peers that are connected to another process of this node's id. */
  readonly namesakeAt = new Set<NodeId>();
  /** Peers that are down, and why. */
  readonly down = new Map<NodeId, string>();

  private readonly callers = new Map<CallerId, { readonly lock: LockName; readonly caller: Caller }>();
  private nextCaller: CallerId = 1;
  private wakeAtMs = Infinity;
  private forgetWake: () => void = () => undefined;
  private forgetSleepWatch: () => void = () => undefined;
  /** The highest ceiling that the core asked for. */
  private ceilingWanted: LamportTime = 0;
  private isReserving = false;
  /** Why the ceiling could not be written the last time; null when it was. */
  private ceilingFault: string | null = null;
  /** The same of the terms under which it lends. */
  private termsFault: string | null = null;
  private forgetCeiling: () => void = () => undefined;
  private forgetCandidacyWake: () => void = () => undefined;
  private forgetApart: () => void = () => undefined;
  private forgetTerms: () => void = () => undefined;
  private started = false;
  private closed: LockError | null = null;
  private readonly logsMessages: boolean;
  /** Events that came while the effects of another were being performed; null while none is. */
  private waiting: Event[] | null = null;

  constructor(private readonly parts: RuntimeParts) {
    this.logsMessages = parts.log.isLevelEnabled('debug');
  }

  /** Begin the node's life: reserve a ceiling, then let the transport connect. */
  async start(): Promise<void> {
    const { core, dataDirectory, transport } = this.parts;
    const { candidacy, credible, terms } = this.parts;
    const effects = [...this.step({ kind: 'start', nowMs: this.nowMs() })];
    if (candidacy !== undefined) effects.push(...this.step({ kind: 'silence', nowMs: this.nowMs(), untilMs: null }));
    this.started = true;
    const { taken } = dataDirectory;
    taken?.addEventListener('abort', () => this.halt(taken.reason as LockError));
    this.watchForSleep();
    const ceilings: LamportTime[] = [];
    for (const effect of effects) {
      if (effect.kind === 'reserveCeiling') ceilings.push(effect.ceiling);
      else this.perform(effect);
    }
    // After all else that the start asks for: callers may come meanwhile, and what these ask for is newer.
    if (terms !== undefined) await dataDirectory.remember(terms.whileSilent);
    for (const ceiling of ceilings) {
      await dataDirectory.reserve(ceiling);
      if (this.closed !== null) throw this.closed;
      this.handle({ kind: 'ceilingReserved', nowMs: this.nowMs(), ceiling });
    }
    transport.start({
      message: (from, message) => this.onMessage(from, message),
      peerUp: (peer, greeting) => this.onPeerUp(peer, greeting),
      peerDown: (peer, reason) => this.onPeerDown(peer, reason),
      stillDown: (peer, reason) => void this.down.set(peer, reason),
      namesake: (peer) => this.onNamesake(peer),
      // Before the first ceiling is on disk it knows of none that it may tell.
      clock: () => Math.max(1, durableClock(core)),
      clockMax: () => credible?.maxAt(this.nowMs(), this.parts.time.wallClockUs()) ?? Number.MAX_SAFE_INTEGER,
      clockRefused: (peer, clock) => this.onClockRefused(peer, clock),
      silentForMs: () => this.silentForMs(),
      knowsClock: () => remembers(core),
      muteReason: () => this.muteReason(),
      ...(candidacy === undefined ? {} : {
        rivals: {
          dialStarts: (peer) => candidacy.dialStarts(peer),
          dialFailed: (peer) => this.follow((candidate, nowMs) => candidate.dialFails(peer, nowMs)),
          rivalAnswered: (peer, answer) => this.follow((candidate, nowMs) => candidate.rivalAnswers(peer, answer, nowMs)),
          strangerCalled: (peer) => this.follow((candidate, nowMs) => candidate.strangerCalls(peer, nowMs)),
          standing: () => candidacy.standing,
          begins: () => candidacy.begins,
        },
      }),
    });
    this.follow((candidate, nowMs) => candidate.advance(nowMs));
  }

  nowMs(): number {
    return this.parts.time.nowMs();
  }

  /** Call back once, after so many milliseconds of this node's time. Returns how to forget it. */
  schedule(callback: () => void, delayMs: number): () => void {
    return this.parts.time.schedule(callback, delayMs);
  }

  /**
   * Let the core notice what time it is. While the event loop is busy, or the machine sleeps, no timer fires: whoever
   * is about to act on a lock asks this first, and is told in here if the lock is lost.
   */
  catchUp(): void {
    if (this.closed !== null || this.waiting !== null) return;
    const nowMs = this.nowMs();
    const sleptMs = this.parts.time.takeSleptMs();
    if (sleptMs > 0) this.handle({ kind: 'slept', nowMs, byMs: sleptMs });
    else if (nowMs >= this.wakeAtMs) this.wake(nowMs);
  }

  /** @throws LockError `closed` when the node has stopped, `config` for a name that is too long. */
  acquire(lock: LockName, mode: Mode, caller: Caller, steals = false): CallerId {
    const closed = this.closed ?? (this.stops.signal.reason as LockError | undefined);
    if (closed !== undefined) throw closed;
    const fault = lockNameFault(lock);
    if (fault !== null) throw new LockError('config', fault);
    const id = this.nextCaller++;
    this.callers.set(id, { lock, caller });
    this.handle({
      kind: 'acquire', nowMs: this.nowMs(), lock, mode, caller: id,
      ...(steals ? { steals } : {}),
      ...(caller.isRemote ? { remote: true } : {}),
      ...(caller.keeps ? { keeps: true } : {}),
      ...(caller.client === null ? {} : { client: caller.client }),
    });
    return id;
  }

  /**
   * Done, or no longer waiting. Nothing more is heard of this caller. Idempotent.
   * @param used the highest token that it took by itself. Default: as high as it had room for
   */
  release(id: CallerId, used?: Token): void {
    const known = this.callers.get(id);
    if (known === undefined) return;
    this.callers.delete(id);
    this.handle({ kind: 'release', nowMs: this.nowMs(), lock: known.lock, caller: id, ...(used === undefined ? {} : { used }) });
  }

  lockNames(): LockName[] {
    return lockNames(this.parts.core);
  }

  locks(names: readonly LockName[] = this.lockNames()): LockView[] {
    const views: LockView[] = [];
    for (const lock of names) {
      const view = this.inspect(lock);
      if (view !== null) views.push(view);
    }
    return views;
  }

  inspect(lock: LockName): LockView | null {
    return inspectLock(this.parts.core, lock);
  }

  /** For how much longer this node lends no vote, as far as it can know. */
  silentForMs(): number {
    const nowMs = this.nowMs();
    const { candidacy, core } = this.parts;
    // Of one that has no known end peers are told as much as they believe.
    return Math.min(SILENCE_MAX_MS, Math.max(candidacy?.silentForMs(nowMs) ?? silentForMs(core, nowMs), apartForMs(core, nowMs)));
  }

  /** Another process has, or had within the last lease, this node's id, so it takes no part. */
  get standsApart(): boolean {
    return apartForMs(this.parts.core, this.nowMs()) > 0;
  }

  /** Why the data directory could not be written the last time; null when it was. The node goes on while clock values are left. */
  get storageFault(): string | null {
    return this.ceilingFault ?? this.termsFault;
  }

  /** Who lends votes, as far as this node knows. */
  lending(): Lending {
    const { id, core, candidacy } = this.parts;
    return lendingOf({ id, core, candidacy, nowMs: this.nowMs(), down: this.down, storageFault: this.ceilingFault, termsFault: this.termsFault, namesakeAt: this.namesakeAt });
  }

  /** Why this node can say nothing; or null. */
  muteReason(): string | null {
    if (!isMute(this.parts.core, this.nowMs())) return null;
    return `node ${this.parts.id} can say nothing: ${this.ceilingFault ?? 'its disk does not answer'}`;
  }

  clock(): LamportTime {
    return durableClock(this.parts.core);
  }

  /** Nobody new is let in from now on, and who asks is told why; what is held stays held until `stop`. */
  announceStop(reason: LockError): void {
    this.stops.abort(reason);
  }

  /** Give every lock back but those still `inUse` outside this process, tell the peers, and end. Idempotent. */
  async stop(reason: LockError, inUse: readonly LockName[] = []): Promise<void> {
    if (this.closed !== null) return;
    this.closed = reason;
    try {
      if (this.started) this.handle({ kind: 'stop', nowMs: this.nowMs(), inUse });
    } catch (error) {
      this.parts.log.error({ err: error }, 'could not give the locks back; each ends with its lease');
    }
    this.end();
    await this.parts.transport.stop();
    await this.parts.dataDirectory.close();
  }

  private end(): void {
    this.forgetWake();
    this.forgetSleepWatch();
    this.forgetCeiling();
    this.forgetCandidacyWake();
    this.forgetTerms();
    this.forgetApart();
    const reason = this.closed ?? new LockError('closed', 'the node stopped');
    const callers = [...this.callers.values()];
    this.callers.clear();
    for (const { caller } of callers) caller.lost(reason);
    this.stops.abort(reason);
    this.ended.abort(reason);
  }

  private onMessage(from: NodeId, message: Message): void {
    if (this.closed !== null) return;
    this.counts.received[message.kind]++;
    if (this.logsMessages) this.logMessage('from', from, message);
    this.handle({ kind: 'message', nowMs: this.nowMs(), from, message });
  }

  private onPeerUp(peer: NodeId, { clock, silentForMs, knowsClock, knowsEarlierLife = false }: Greeting): void {
    if (this.closed !== null) return;
    // What a peer remembers that was met before may be of the time since then.
    if (knowsEarlierLife && !this.met.has(peer)) this.follow((candidate, nowMs) => candidate.contradicts(peer, nowMs));
    this.met.add(peer);
    this.down.delete(peer);
    this.parts.credible?.believes(peer);
    this.handle({ kind: 'peerUp', nowMs: this.nowMs(), peer, clock, silentForMs, ...(knowsClock ? {} : { remembers: false }) });
    this.onAccepted(peer);
    this.follow((candidate, nowMs) => candidate.peerUp(peer, nowMs));
    this.onReach();
  }

  private onPeerDown(peer: NodeId, reason: string): void {
    if (this.closed !== null) return;
    this.down.set(peer, reason);
    this.handle({ kind: 'peerDown', nowMs: this.nowMs(), peer });
    this.follow((candidate, nowMs) => candidate.peerDown(peer, nowMs));
    this.onReach();
  }

  private onClockRefused(peer: NodeId, clock: LamportTime): void {
    if (this.closed !== null || this.parts.credible?.refuses(peer, clock, this.nowMs()) !== true) return;
    this.parts.log.warn(
      'peers that meet every quorum tell clocks far ahead of the clocks of this node, so it believes them from now on. ' +
        "Check this machine's wall clock; if it is right, the clock of the cluster ran away (docs/protocol.md section 3.3)",
    );
    this.probeSoon();
  }

  /** Dial all that are down. Not within the transport's own call: what it dials may have an answer at once. */
  private probeSoon(): void {
    setImmediate(() => this.closed ?? this.parts.transport.probe?.());
  }

  /** Hear what the candidacy makes of it, and do as it says. */
  private follow(hear: (candidate: Candidacy, nowMs: number) => readonly CandidacyOrder[]): void {
    const { candidacy } = this.parts;
    if (candidacy === undefined || this.closed !== null) return;
    for (const order of hear(candidacy, this.nowMs())) this.obey(order);
    this.onCandidacy();
    this.onReach();
  }

  private obey(order: CandidacyOrder): void {
    switch (order.kind) {
      case 'silence':
        return this.handle({ ...order, nowMs: this.nowMs() });
      case 'probe':
        return this.probeSoon();
      case 'prepare':
        return this.writeTerms();
      case 'wake':
        this.forgetCandidacyWake();
        this.forgetCandidacyWake = this.schedule(() => {
          this.follow((candidate, nowMs) => candidate.advance(nowMs));
        }, Math.max(1, order.atMs - this.nowMs()));
        return;
      default:
        assertNever(order);
    }
  }

  /** No vote is lent before the next life can know under which terms. */
  private writeTerms(): void {
    const { terms, dataDirectory, log } = this.parts;
    const written = terms === undefined ? Promise.resolve() : dataDirectory.remember(terms.whenLending);
    written.then(
      () => {
        this.termsFault = null;
        this.follow((candidate, nowMs) => candidate.termsAreWritten(nowMs));
      },
      (error: unknown) => {
        if (this.closed !== null) return;
        this.termsFault = error instanceof Error ? error.message : String(error);
        log.error(`cannot write the data directory; this node lends no vote until it can: ${this.termsFault}`);
        this.forgetTerms = this.schedule(() => this.writeTerms(), CEILING_RETRY_MS);
      },
    );
  }

  /** Two votes where there must be one: this process lends and asks nothing while the other one is there. */
  private onNamesake(peer: NodeId): void {
    if (this.closed !== null || this.namesakeAt.has(peer)) return;
    this.namesakeAt.add(peer);
    const isFirst = !this.standsApart;
    this.handle({ kind: 'namesake', nowMs: this.nowMs(), peer });
    if (isFirst) this.greetAgain();
    this.onReach();
    this.onCandidacy();
  }

  private onAccepted(peer: NodeId): void {
    if (!this.namesakeAt.delete(peer) || this.namesakeAt.size > 0) return;
    const leftMs = apartForMs(this.parts.core, this.nowMs());
    this.parts.log.info(`no peer has another process of this id any more, as far as this node knows; it takes part again in ${leftMs} ms`);
    this.takePartIn(leftMs);
  }

  /** Peers were told of a longer silence, some of a day. */
  private takePartIn(leftMs: number): void {
    this.forgetApart();
    this.forgetApart = this.schedule(() => {
      this.catchUp();
      const earlyMs = apartForMs(this.parts.core, this.nowMs());
      // Until the next peer drops the other process.
      if (earlyMs === Infinity) return;
      // A timer may fire a little early.
      if (earlyMs > 0) return this.takePartIn(earlyMs);
      this.greetAgain();
      this.onReach();
      this.onCandidacy();
    }, leftMs);
  }

  /** Peers hear for how long this node lends nothing. Not within the transport's own call. */
  private greetAgain(): void {
    setImmediate(() => this.closed ?? this.parts.transport.greetAgain?.(`node ${this.parts.id} tells anew for how long it lends nothing`));
  }

  /** Step the core and perform what it says. What callers do meanwhile waits for its turn. */
  private handle(event: Event): void {
    if (this.waiting !== null) {
      this.waiting.push(event);
      return;
    }
    const sleptMs = this.parts.time.takeSleptMs();
    this.waiting = [];
    try {
      if (sleptMs > 0) this.stepAndPerform({ kind: 'slept', nowMs: event.nowMs, byMs: sleptMs });
      this.stepAndPerform(event);
      for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift()) {
        // Callers that were told meanwhile may have taken their time.
        this.stepAndPerform({ ...next, nowMs: this.nowMs() });
      }
    } catch (error) {
      this.waiting = null;
      this.fail(error);
    }
    this.waiting = null;
  }

  private stepAndPerform(event: Event): void {
    for (const effect of this.step(event)) this.perform(effect);
  }

  private step(event: Event): readonly Effect[] {
    const { core, record } = this.parts;
    if (record === undefined) return step(core, event);
    let effects: readonly Effect[] | null = null;
    try {
      effects = step(core, event);
      return effects;
    } finally {
      record(event, effects);
    }
  }

  private fail(cause: unknown): void {
    const detail = cause instanceof Error ? cause.message : String(cause);
    this.parts.log.fatal({ err: cause }, 'the node stops because of a bug: it cannot answer for its locks any more. Please report it, with this log');
    this.breakOff(`node ${this.parts.id} stopped because of a bug: ${detail}`, cause);
  }

  /** Another process is this node too: two votes where there must be one. Whoever notices stops. */
  private halt(cause: LockError): void {
    if (this.closed !== null) return;
    this.parts.log.error(`the node stops: ${cause.message}`);
    this.breakOff(`node ${this.parts.id} stopped: ${cause.message}`, cause);
  }

  /** Without a word to anybody: the locks end with their leases. */
  private breakOff(reason: string, cause: unknown): void {
    if (this.closed !== null) return;
    this.closed = new LockError('closed', reason, { definite: false, cause });
    this.end();
    void this.parts.transport.stop();
    void this.parts.dataDirectory.close();
  }

  private perform(effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.counts.sent[effect.message.kind]++;
        if (this.logsMessages) this.logMessage('to', effect.to, effect.message);
        return this.parts.transport.send(effect.to, effect.message);
      case 'entered':
        this.entries++;
        return this.callers.get(effect.caller)?.caller.entered(effect.token, effect.validUntilMs, effect.roomUntil, effect.passTo);
      case 'wanted':
        return this.callers.get(effect.caller)?.caller.wanted();
      case 'renewed':
        for (const caller of effect.callers) this.callers.get(caller)?.caller.renewed(effect.validUntilMs);
        return;
      case 'lost': {
        const known = this.callers.get(effect.caller);
        this.callers.delete(effect.caller);
        return known?.caller.lost(this.reasonOfLoss(effect));
      }
      case 'recalled':
        return this.callers.get(effect.caller)?.caller.recalled(this.reasonOfLoss(effect));
      case 'wake':
        return this.setTimer(effect.atMs);
      case 'reserveCeiling':
        return this.reserve(effect.ceiling);
      case 'joined':
        return this.onJoined(effect.by);
      case 'ignored': {
        const { ignored } = this.counts;
        ignored[effect.reason] = (ignored[effect.reason] ?? 0) + 1;
        if (this.logsMessages) {
          const { from, message, reason } = effect;
          this.parts.log.debug({ lock: message.lock, from, kind: message.kind, reason }, 'dropped a message');
        }
        return;
      }
      default:
        return assertNever(effect);
    }
  }

  private onJoined(by: 'peers' | 'wall clock'): void {
    this.restsOnWallClocks = by === 'wall clock';
    const { log } = this.parts;
    if (by === 'peers') {
      log.info('this node had no memory of earlier clock values; it has learned from its peers which tokens may be in use, and takes part now');
    } else {
      log.warn(
        'this node has no memory of earlier clock values, and too few peers that remember could be heard. It takes part now: ' +
          "its tokens exceed earlier ones only if the machines' wall clocks agree to within a lease",
      );
    }
  }

  private setTimer(atMs: number): void {
    this.forgetWake();
    this.wakeAtMs = atMs;
    this.forgetWake = this.schedule(() => {
      const nowMs = this.nowMs();
      // A timer may fire a little early; the core would take that for a superfluous wake.
      if (nowMs < atMs) this.setTimer(atMs);
      else this.wake(nowMs);
    }, Math.max(0, atMs - this.nowMs()));
  }

  private wake(nowMs: number): void {
    this.forgetWake();
    this.wakeAtMs = Infinity;
    this.handle({ kind: 'wake', nowMs });
  }

  private watchForSleep(): void {
    this.forgetSleepWatch = this.schedule(() => {
      this.watchForSleep();
      this.catchUp();
      this.onReach();
    }, SLEEP_UNNOTICED_MS);
  }

  /** One write at a time, of the highest ceiling asked for. Until it is on disk the core sends nothing above the last one. */
  private reserve(ceiling: LamportTime): void {
    this.ceilingWanted = Math.max(this.ceilingWanted, ceiling);
    if (this.isReserving) return;
    this.isReserving = true;
    const { ceilingWanted } = this;
    this.parts.dataDirectory.reserve(ceilingWanted).then(
      () => {
        this.isReserving = false;
        if (this.closed !== null) return;
        if (this.ceilingFault !== null) this.parts.log.info('the data directory can be written again');
        this.ceilingFault = null;
        if (this.ceilingWanted > ceilingWanted) this.reserve(this.ceilingWanted);
        this.handle({ kind: 'ceilingReserved', nowMs: this.nowMs(), ceiling: ceilingWanted });
      },
      (error: unknown) => {
        if (this.closed !== null) return;
        const fault = error instanceof Error ? error.message : String(error);
        if (fault !== this.ceilingFault) {
          this.parts.log.error(`cannot write the data directory. When the clock values reserved there are used up, this node lends no votes until it can write again. Mend the disk, or stop the node: ${fault}`);
        }
        this.ceilingFault = fault;
        this.forgetCeiling = this.schedule(() => {
          this.isReserving = false;
          this.reserve(this.ceilingWanted);
        }, CEILING_RETRY_MS);
      },
    );
  }

  private reasonOfLoss({ lock, thief }: Extract<Effect, { kind: 'lost' | 'recalled' }>): LockError {
    if (thief === undefined && this.namesakeAt.size > 0) {
      this.parts.log.warn({ lock }, 'lost the lock: another process has the id of this node');
      return new LockError(
        'lost',
        `node ${this.parts.id} gave up the lock ${JSON.stringify(lock)}: another process runs under its id. Stop using what it protects`,
        { definite: false },
      );
    }
    if (thief === undefined) {
      this.parts.log.warn({ lock }, 'lost the lock: its lease ended before the node could renew it');
      return this.lostError(lock);
    }
    const how = this.describeTheft(thief);
    this.parts.log.warn({ lock }, `the lock was ${how}`);
    return this.stolenError(lock, how);
  }

  /** What to tell whoever held a lock whose lease ended. */
  lostError(lock: LockName): LockError {
    const down = this.down.size === 0 ? '' : `; unreachable: ${[...this.down.keys()].join(', ')}`;
    return new LockError(
      'lost',
      `node ${this.parts.id} lost the lock ${JSON.stringify(lock)}: it could not renew its lease in time${down}. ` +
        'Stop using what it protects. A resource that checks the fencing token refuses your writes once a later holder was there',
      { definite: false },
    );
  }

  /** What a caller of another node is called only that node knows. */
  private describeTheft({ node, caller }: Thief): string {
    const known = caller === undefined ? undefined : this.callers.get(caller);
    return known === undefined ? `stolen through node ${node}` : `stolen by ${known.caller.title}`;
  }

  private stolenError(lock: LockName, how: string): LockError {
    return new LockError(
      'stolen',
      `the lock ${JSON.stringify(lock)}, held through node ${this.parts.id}, was ${how}. Stop using what it protects`,
      { definite: false },
    );
  }

  private logMessage(direction: 'from' | 'to', peer: NodeId, message: Message): void {
    const { kind, lock, clock, timestamp, ...fields } = message;
    const name = kind.charAt(0).toUpperCase() + kind.slice(1);
    const arrow = direction === 'to' ? `${name} → ${peer}` : `${name} ← ${peer}`;
    this.parts.log.debug({ lock, lamport: clock, request: timestamp, ...fields }, arrow);
  }
}
