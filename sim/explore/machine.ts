/**
 * One node with all that is local to it: the production core, its callers, its disk, its clock. An
 * action goes in, an outcome comes out; nothing else is touched, so what an action does to a machine in
 * a given state needs to be found out only once.
 * Law: plain data, but for the core; a snapshot of the machine is the whole of it.
 */
import { isCompatible, isSameRequest } from '../../src/core';
import type { CoreSettings, Effect, Event, Grant, LamportTime, LocalInvariant, LockNode, Message, Mode, NodeId, RequestId, Token } from '../../src/core';
import type { Check } from '../checks';
import type { Core } from '../core';
import { LEASE_MS, LOCK, RETRY_MS } from './setup';

export interface Peer {
  readonly index: number;
  /** 0 for a node that is down. */
  readonly life: number;
  /** What a handshake tells of it. */
  readonly clock: LamportTime;
  readonly silentForMs: number;
}

/** What may happen at one node. */
export type Action =
  | { readonly kind: 'deliver'; readonly from: NodeId; readonly message: Message }
  | { readonly kind: 'acquire'; readonly caller: number }
  /** A caller that is inside is done. */
  | { readonly kind: 'leave'; readonly caller: number }
  /** A caller that waits gives up. */
  | { readonly kind: 'cancel'; readonly caller: number }
  /** The timer that was asked for. It may come late: other things may happen first. */
  | { readonly kind: 'wake' }
  /** Time for a repeat passes at this node, and its timer comes. */
  | { readonly kind: 'repeat' }
  /** A step of the time in which leases end. Nobody is told; the clock just shows it. */
  | { readonly kind: 'pass' }
  | { readonly kind: 'crash' }
  /** Starts anew, and is connected to all that live. */
  | { readonly kind: 'restart'; readonly peers: readonly Peer[] }
  /** Takes a peer for down, for no reason. */
  | { readonly kind: 'suspect'; readonly peer: number }
  /** Finds out how things are with a peer. */
  | { readonly kind: 'notice'; readonly peer: Peer };

/** A request in the protocol, as its own node sees it. */
export interface OpenRequest {
  readonly id: RequestId;
  readonly mode: Mode;
  readonly isWaiting: boolean;
}

/** What others see of an action. */
export interface Outcome {
  readonly sent: { readonly to: NodeId; readonly message: Message }[];
  readonly entries: { readonly mode: Mode; readonly token: Token }[];
}

/** Why a run is wrong. */
export interface Failure {
  readonly check: string;
  readonly detail: string;
}

/** A rule was broken that can be seen at one node. */
export class Broken extends Error {
  constructor(readonly check: Check | LocalInvariant, detail: string) {
    super(detail);
  }
}

type CallerState = 'away' | 'waiting' | 'inside' | 'done';

export interface Caller {
  readonly mode: Mode;
  state: CallerState;
}

/** Someone uses the lock. It counts until its own clock says that it ran out, though its node may die before. */
export interface Hold {
  readonly caller: number;
  readonly mode: Mode;
  endsAtMs: number;
}

export interface Machine {
  /** Its place among the nodes. */
  readonly index: number;
  core: LockNode | null;
  life: number;
  readonly callers: Caller[];
  holds: Hold[];
  /** What it takes each node for: the life that it saw, or 0 for down. */
  readonly seenLife: number[];
  stepsPassed: number;
  repeats: number;
  wakeAtMs: number;
  ceilingOnDisk: LamportTime;
  /** That with the highest number it ever sent, in whatever life. */
  lastGrant: { readonly number: LamportTime; readonly to: NodeId; readonly timestamp: LamportTime };
}

/** What the machines of one exploration have in common. */
export class Hardware {
  private sent: Outcome['sent'] = [];
  private entries: Outcome['entries'] = [];
  /** How often what happened, over all outcomes: shows that a search reached what it is for. */
  readonly seen = new Map<string, number>();

  constructor(
    private readonly core: Core,
    private readonly nodes: readonly NodeId[],
    private readonly settings: readonly CoreSettings[],
    private readonly leaseSteps: number,
  ) {}

  /** A machine that has run before nobody, started and not connected. */
  newMachine(index: number, modes: readonly Mode[]): Machine {
    const machine: Machine = {
      index, core: null, life: 0, callers: modes.map((mode) => ({ mode, state: 'away' })), holds: [],
      seenLife: this.nodes.map(() => 0), stepsPassed: 0, repeats: 0, wakeAtMs: Infinity,
      ceilingOnDisk: 0, lastGrant: { number: 0, to: '', timestamp: 0 },
    };
    this.start(machine);
    return machine;
  }

  nowMs(machine: Machine): number {
    return (machine.stepsPassed * LEASE_MS) / this.leaseSteps + machine.repeats * RETRY_MS;
  }

  /** What a handshake with this machine would tell, now. */
  asPeer(machine: Machine): Peer {
    const { core } = machine;
    if (core === null) return { index: machine.index, life: 0, clock: 0, silentForMs: 0 };
    return {
      index: machine.index, life: machine.life, clock: this.core.durableClock(core),
      silentForMs: this.core.silentForMs(core, this.nowMs(machine)),
    };
  }

  /** Whether the machine has nothing of the lock in its memory. */
  isEmpty(machine: Machine): boolean {
    return machine.core === null || this.core.lockNames(machine.core).length === 0;
  }

  openRequest({ core }: Machine): OpenRequest | null {
    const requester = core === null ? null : (this.core.inspectLock(core, LOCK)?.requester ?? null);
    if (requester === null || requester.state === 'idle') return null;
    return { id: requester.request, mode: requester.mode, isWaiting: requester.state === 'waiting' };
  }

  /** Whether its arbiter has the request, in its queue or with its vote. */
  knows({ core }: Machine, request: RequestId): boolean {
    const view = core === null ? null : this.core.inspectLock(core, LOCK);
    return view !== null && [...view.grants, ...view.queue].some((each) => isSameRequest(each.request, request));
  }

  lendsTo(machine: Machine, request: RequestId): boolean {
    const grants = machine.core === null ? [] : (this.core.inspectLock(machine.core, LOCK)?.grants ?? []);
    return grants.some((grant) => isSameRequest(grant.request, request) && grant.expiresAtMs > this.nowMs(machine));
  }

  /** All that machines may do without any other, where each has so many callers at most. */
  allActions(callersMax: number): Action[] {
    const callers = Array.from({ length: callersMax }, (_, caller) => caller);
    return [
      { kind: 'pass' }, { kind: 'crash' }, { kind: 'repeat' }, { kind: 'wake' },
      ...(['acquire', 'leave', 'cancel'] as const).flatMap((kind) => callers.map((caller) => ({ kind, caller }))),
      ...this.nodes.map((_, peer) => ({ kind: 'suspect' as const, peer })),
    ];
  }

  /** Which of these actions are possible, as bits. */
  enabled(machine: Machine, actions: readonly Action[]): number {
    return actions.reduce((bits, action, index) => (this.isEnabled(machine, action) ? bits | (1 << index) : bits), 0);
  }

  private isEnabled(machine: Machine, action: Action): boolean {
    if (action.kind === 'pass') return true;
    if (machine.core === null) return false;
    const nowMs = this.nowMs(machine);
    const { callers, wakeAtMs } = machine;
    switch (action.kind) {
      case 'crash':
        return true;
      case 'wake':
        return wakeAtMs <= nowMs;
      case 'repeat':
        return wakeAtMs > nowMs && wakeAtMs <= nowMs + RETRY_MS;
      case 'acquire':
        // Callers of one node ask in their order.
        return callers.findIndex((caller) => caller.state === 'away') === action.caller;
      case 'leave':
        return callers[action.caller]?.state === 'inside';
      case 'cancel':
        return callers[action.caller]?.state === 'waiting';
      case 'suspect':
        return machine.seenLife[action.peer] !== 0 && action.peer !== machine.index;
      case 'deliver':
      case 'restart':
      case 'notice':
        return false; // Not without others.
    }
  }

  /**
   * Changes the machine.
   * @throws Broken, or what the core throws, when a rule is broken
   */
  act(machine: Machine, action: Action): Outcome {
    this.sent = [];
    this.entries = [];
    const before = machine.core === null ? 0 : this.core.durableClock(machine.core);
    this.perform(machine, action);
    this.checkMotion(machine, action, before);
    const nowMs = this.nowMs(machine);
    if (machine.holds.some((hold) => hold.endsAtMs <= nowMs)) machine.holds = machine.holds.filter((hold) => hold.endsAtMs > nowMs);
    this.look(machine);
    return { sent: this.sent, entries: this.entries };
  }

  /** That no state comes twice on one path (see settle.ts); and Lamport's rule of receipt. */
  private checkMotion(machine: Machine, action: Action, clockBefore: LamportTime): void {
    const { core } = machine;
    if (core === null) return;
    if ((action.kind === 'deliver' || action.kind === 'acquire') && this.core.durableClock(core) <= clockBefore) {
      throw new Broken('clock-rises', `the clock stays at ${clockBefore}`);
    }
    if (action.kind === 'wake' && machine.wakeAtMs <= this.nowMs(machine)) {
      throw new Broken('progress', 'a node that was woken asks to be woken at once');
    }
  }

  private perform(machine: Machine, action: Action): void {
    const nowMs = this.nowMs(machine);
    switch (action.kind) {
      case 'deliver':
        return this.step(machine, { kind: 'message', nowMs, from: action.from, message: action.message });
      case 'acquire': {
        const caller = callerOf(machine, action.caller);
        caller.state = 'waiting';
        return this.step(machine, { kind: 'acquire', nowMs, lock: LOCK, mode: caller.mode, caller: action.caller });
      }
      case 'leave':
      case 'cancel':
        callerOf(machine, action.caller).state = 'done';
        machine.holds = machine.holds.filter((hold) => hold.caller !== action.caller);
        return this.step(machine, { kind: 'release', nowMs, lock: LOCK, caller: action.caller });
      case 'repeat':
        machine.repeats++;
        return this.wake(machine);
      case 'wake':
        return this.wake(machine);
      case 'pass':
        machine.stepsPassed++;
        return;
      case 'crash':
        return this.crash(machine);
      case 'restart':
        this.start(machine);
        for (const peer of action.peers) this.notice(machine, peer);
        return;
      case 'suspect':
        return this.notice(machine, { index: action.peer, life: 0, clock: 0, silentForMs: 0 });
      case 'notice':
        return this.notice(machine, action.peer);
    }
  }

  private start(machine: Machine): void {
    const settings = this.settings[machine.index];
    if (settings === undefined) throw new RangeError(`no machine ${machine.index}`);
    const firstStart = machine.life === 0;
    machine.life++;
    machine.core = this.core.createNode(settings, { ceilingOnDisk: machine.ceilingOnDisk, wallClockUs: 0, firstStart });
    this.step(machine, { kind: 'start', nowMs: this.nowMs(machine) });
    const clock = this.core.durableClock(machine.core);
    if (clock <= machine.lastGrant.number) throw new Broken('grant-rises', `a life begins at ${clock}, after grant ${machine.lastGrant.number}`);
  }

  /** The callers inside go on until their lease ends: they need not die with their node. */
  private crash(machine: Machine): void {
    machine.core = null;
    machine.wakeAtMs = Infinity;
    machine.seenLife.fill(0);
    for (const caller of machine.callers) if (caller.state !== 'away') caller.state = 'done';
  }

  private notice(machine: Machine, peer: Peer): void {
    const id = this.nodes[peer.index] ?? '';
    const nowMs = this.nowMs(machine);
    const wasUp = machine.seenLife[peer.index] !== 0;
    machine.seenLife[peer.index] = peer.life;
    if (wasUp) this.step(machine, { kind: 'peerDown', nowMs, peer: id });
    if (peer.life === 0) return;
    this.step(machine, { kind: 'peerUp', nowMs, peer: id, clock: peer.clock, silentForMs: peer.silentForMs });
  }

  private wake(machine: Machine): void {
    const nowMs = this.nowMs(machine);
    if (machine.wakeAtMs <= nowMs) machine.wakeAtMs = Infinity;
    this.step(machine, { kind: 'wake', nowMs });
    machine.callers.forEach((caller, each) => {
      if (caller.state !== 'inside' || machine.holds.some((hold) => hold.caller === each && hold.endsAtMs > nowMs)) return;
      throw new Broken('lost-at-once', `caller ${each + 1} was not told that its lease ran out`);
    });
  }

  private step(machine: Machine, event: Event): void {
    const { core } = machine;
    if (core === null) throw new Error(`${this.nodes[machine.index]} is not running`);
    for (const effect of this.core.step(core, event)) this.follow(machine, effect);
  }

  private follow(machine: Machine, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        return this.send(machine, effect.to, effect.message);
      case 'entered': {
        const caller = machine.callers[effect.caller];
        if (caller?.state !== 'waiting') throw new Broken('callers-known', `caller ${effect.caller + 1} enters and does not wait`);
        caller.state = 'inside';
        machine.holds.push({ caller: effect.caller, mode: effect.mode, endsAtMs: effect.validUntilMs });
        this.entries.push({ mode: effect.mode, token: effect.token });
        return this.note(`entered ${effect.mode}`);
      }
      case 'renewed':
        for (const id of effect.callers) {
          const hold = machine.holds.find((each) => each.caller === id);
          if (hold === undefined) throw new Broken('callers-known', `caller ${id + 1} is renewed and holds nothing`);
          hold.endsAtMs = effect.validUntilMs;
        }
        return this.note('renewed');
      case 'lost': {
        const caller = machine.callers[effect.caller];
        // One that leaves too late hears of it too.
        if (caller?.state === 'inside') caller.state = 'done';
        machine.holds = machine.holds.filter((hold) => hold.caller !== effect.caller);
        return this.note('lost');
      }
      case 'wake':
        machine.wakeAtMs = effect.atMs;
        return;
      case 'reserveCeiling':
        // The disk is quick here. That it may be slow is for the simulator.
        machine.ceilingOnDisk = effect.ceiling;
        return this.step(machine, { kind: 'ceilingReserved', nowMs: this.nowMs(machine), ceiling: effect.ceiling });
      case 'ignored':
        return this.note(`ignored ${effect.message.kind}: ${effect.reason}`);
    }
  }

  private send(machine: Machine, to: NodeId, message: Message): void {
    if (message.clock > machine.ceilingOnDisk) throw new Broken('ceiling-holds', `clock ${message.clock} above ceiling ${machine.ceilingOnDisk}`);
    if (message.kind === 'grant') noteGrant(machine, to, message);
    this.sent.push({ to, message });
    this.note(`sent ${message.kind}`);
  }

  /** The invariants of protocol.md section 10 that are visible in the state of one node. */
  private look(machine: Machine): void {
    const { core } = machine;
    const view = core === null ? null : this.core.inspectLock(core, LOCK);
    if (view === null) return;
    const { grants, queue } = view;
    for (const [place, grant] of grants.entries()) {
      const other = grants.slice(place + 1).find((each) => !isCompatible(each.mode, grant.mode));
      if (other !== undefined) throw new Broken('one-vote', `${this.nodes[machine.index]} lends its vote to ${name(grant.request)} and ${name(other.request)}`);
      const queued = queue.find(({ request }) => isSameRequest(request, grant.request));
      if (queued !== undefined) throw new Broken('not-both', `${name(queued.request)} is granted and queued at ${this.nodes[machine.index]}`);
    }
  }

  private note(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }
}

/** An invariant that the core checks itself has a name too. A changed core has a class of its own for it. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof Error)) return { check: 'exception', detail: String(error) };
  if (error instanceof Broken) return { check: error.check, detail: error.message };
  if ('invariant' in error) return { check: String(error.invariant), detail: error.message };
  return { check: 'exception', detail: error.stack ?? error.message };
}

function noteGrant(machine: Machine, to: NodeId, { grant, timestamp }: Grant): void {
  const { lastGrant } = machine;
  if (grant > lastGrant.number) machine.lastGrant = { number: grant, to, timestamp };
  else if (grant === lastGrant.number && (to !== lastGrant.to || timestamp !== lastGrant.timestamp)) {
    throw new Broken('grant-rises', `number ${grant} is given to (${lastGrant.timestamp}, ${lastGrant.to}) and (${timestamp}, ${to})`);
  }
}

function callerOf(machine: Machine, index: number): Caller {
  const caller = machine.callers[index];
  if (caller === undefined) throw new RangeError(`no caller ${index}`);
  return caller;
}

function name(request: RequestId): string {
  return `(${request.timestamp}, ${request.node})`;
}
