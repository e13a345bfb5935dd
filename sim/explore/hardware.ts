/**
 * What runs the machines: an action goes in, an outcome comes out, and nothing else is touched. So what
 * an action does to a machine in a given state needs to be found out only once.
 */
import { claimOf, isCompatible, isSameRequest } from '../../src/core';
import type { CoreSettings, Effect, Event, Grant, LamportTime, Message, NodeId, RequestId, Token } from '../../src/core';
import type { Coterie } from '../../src/quorum/coterie';
import type { Core } from '../core';
import { Broken } from './machine';
import type { Action, Caller, Machine, OpenRequest, Outcome, Peer } from './machine';
import { LEASE_MS, LOCK, RETRY_MS, callersAt, coterieOf, nodeIds, settingsOf } from './setup';
import type { Setup } from './setup';

type Lost = Extract<Effect, { kind: 'lost' | 'recalled' }>;

/** What the machines of one exploration have in common. */
export class Hardware {
  private sent: Outcome['sent'] = [];
  private entries: Outcome['entries'] = [];
  /** How often what happened, over all outcomes: shows that a search reached what it is for. */
  readonly seen = new Map<string, number>();

  readonly coterie: Coterie;
  readonly nodes: readonly NodeId[];
  readonly settings: readonly CoreSettings[];

  /** @throws RangeError when there is no such family over so many nodes */
  constructor(private readonly core: Core, private readonly setup: Setup) {
    this.coterie = coterieOf(setup);
    this.nodes = nodeIds(setup);
    this.settings = this.nodes.map((self) => settingsOf(setup, this.coterie, self));
  }

  /** The machines at the beginning: started for the first time ever, and connected to one another. */
  firstMachines(): Machine[] {
    const machines: Machine[] = [];
    for (let place = 0; place < this.nodes.length; place++) {
      const machine = this.newMachine(place);
      // Each tells the other the clock that it had before.
      for (const earlier of machines) {
        const [peer, earlierPeer] = [this.asPeer(machine), this.asPeer(earlier)];
        this.act(earlier, { kind: 'notice', peer });
        this.act(machine, { kind: 'notice', peer: earlierPeer });
      }
      machines.push(machine);
    }
    return machines;
  }

  private newMachine(index: number): Machine {
    const machine: Machine = {
      index, core: null, life: 0, holds: [],
      callers: callersAt(this.setup, index).map(({ mode, steals, remote }) => ({ mode, steals, remote, state: 'away' })),
      seenLife: this.nodes.map(() => 0), stepsPassed: 0, repeats: 0, wakeAtMs: Infinity,
      ceilingOnDisk: 0, lastGrant: { number: 0, to: '', timestamp: 0 },
    };
    this.start(machine);
    return machine;
  }

  nowMs(machine: Machine): number {
    return (machine.stepsPassed * LEASE_MS) / this.setup.leaseSteps + machine.repeats * RETRY_MS;
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
    return { request: requester.request, claim: claimOf(requester.steals, false), mode: requester.mode, isWaiting: requester.state === 'waiting' };
  }

  /** Whether its arbiter has the request, in its queue or with its vote. */
  knows({ core }: Machine, request: RequestId): boolean {
    const view = core === null ? null : this.core.inspectLock(core, LOCK);
    return view !== null && [...view.grants, ...view.queue].some((each) => isSameRequest(each.request, request));
  }

  /**
   * Whether its arbiter lends its vote to that request, by its own clock, with a grant that a holder of
   * this token can have: a token is above the grants that it was made from.
   */
  lendsTo(machine: Machine, request: RequestId, token: Token): boolean {
    const grants = machine.core === null ? [] : (this.core.inspectLock(machine.core, LOCK)?.grants ?? []);
    return grants.some((each) => isSameRequest(each.request, request) && each.grant < token && each.expiresAtMs > this.nowMs(machine));
  }

  /** All that machines may do without any other. */
  allActions(): Action[] {
    const callersMax = Math.max(...this.nodes.map((_, place) => callersAt(this.setup, place).length));
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
        return callers[action.caller]?.state === 'inside' || callers[action.caller]?.state === 'recalled';
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
        return this.step(machine, {
          kind: 'acquire', nowMs, lock: LOCK, mode: caller.mode, caller: action.caller,
          ...(caller.steals ? { steals: true } : {}), ...(caller.remote ? { remote: true } : {}),
        });
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
      case 'lost':
      case 'recalled':
        return this.lose(machine, effect);
      case 'wake':
        machine.wakeAtMs = effect.atMs;
        return;
      case 'reserveCeiling':
        // The disk is quick here. That it may be slow is for the simulator.
        machine.ceilingOnDisk = effect.ceiling;
        return this.step(machine, { kind: 'ceilingReserved', nowMs: this.nowMs(machine), ceiling: effect.ceiling });
      case 'wanted': // Nobody keeps a lock here.
      case 'joined':
        return;
      case 'ignored':
        return this.note(`ignored ${effect.message.kind}: ${effect.reason}`);
    }
  }

  /** A local caller stops at once; one in another process goes on until it has heard of it, or its time is over. */
  private lose(machine: Machine, { kind, caller: id, thief }: Lost): void {
    const caller = machine.callers[id];
    if (caller === undefined || (kind === 'recalled') !== caller.remote) throw new Broken('callers-known', `for caller ${id + 1} the lock is ${kind}`);
    const hold = machine.holds.find((each) => each.caller === id);
    if (thief === undefined && hold !== undefined && hold.endsAtMs > this.nowMs(machine)) {
      throw new Broken('keeps', `caller ${id + 1} loses the lock before its time, and nobody stole it`);
    }
    // One that leaves too late hears of it too.
    if (caller.state === 'inside') caller.state = kind === 'recalled' ? 'recalled' : 'done';
    if (kind === 'lost') machine.holds = machine.holds.filter((each) => each.caller !== id);
    this.note(thief === undefined ? kind : `${kind} to a thief`);
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
