/**
 * A session (protocol.md section 15): a client and its node, each with a clock of its own, and streams between them that are late,
 * break at every step, and go on delivering after they broke what was sent before. A client never believes longer than its node keeps.
 */
import fc from 'fast-check';
import { ClientSession, HeldLock, ServedSession, believedUntilMs, marginMs } from '../../src/core';
import type { ClientFrame, ClientSessionEffect, NodeFrame, AskId, ServedSessionEffect, SessionEndCause } from '../../src/core';
import { holds } from '../support/holds';

const LEASE_MS = 1_000;
const DRIFT_MAX = 0.01;
const ANSWER_MS = 600;

type Cause = SessionEndCause<string>;
type ToNode = { readonly kind: 'frame'; readonly session: number; readonly stream: number; readonly frame: ClientFrame<string> };

interface Rates {
  readonly client: number;
  readonly node: number;
}

/** What the node has for one request. */
interface AtNode {
  readonly name: string;
  validUntilMs: number; // by the node's clock; 0: waits
}

/** The first thing that it asks for, and a frame with the rest. */
function firstOf(frame: ClientFrame<string>): [ClientFrame<string>, ClientFrame<string>] {
  const { hello, releases, spent, inUse, acquires } = frame;
  const taken = Math.min(1, releases.length);
  return [
    { hello, sentAtMs: null, releases: releases.slice(0, 1), spent, inUse, acquires: acquires.slice(0, 1 - taken) },
    { ...frame, hello: null, spent: [], inUse: [], releases: releases.slice(1), acquires: acquires.slice(1 - taken) },
  ];
}

/** A client, its node, and the world between them. Time is true time; each side has its own. */
class Play {
  nowMs = 0;
  private readonly client = new ClientSession<string, Cause, string>({ answerMs: ANSWER_MS, idleMs: 50, frameBytesMax: 40, bytesOf: (ask) => ask.length });
  private session = 0;
  private served: { readonly number: number; readonly machine: ServedSession<string, string>; readonly requests: Map<AskId, AtNode> }[] = [];
  /** Over which stream each session is heard; what is not in here is broken for the node. */
  private stream = 0;
  private isCut = true;
  private toNode: ToNode[] = [];
  private toClient: { readonly stream: number; readonly frame: NodeFrame<Cause> }[] = [];
  private isClientFrozen = false;
  private isNodeFrozen = false;
  /** What the client believes of each lock. */
  readonly beliefs = new Map<AskId, HeldLock>();
  readonly known = new Map<AskId, 'asked' | 'held' | 'lost' | 'ended' | 'failed'>();
  readonly names = new Map<AskId, string>();
  private readonly unconfirmed = new Set<AskId>();
  private readonly forgotten = new Set<AskId>();

  constructor(
    private readonly rates: Rates,
    private readonly settings = { leaseMs: LEASE_MS, marginMs: marginMs(LEASE_MS, DRIFT_MAX) },
  ) {}

  get clientMs(): number {
    return 5_000_000 + this.nowMs * this.rates.client;
  }

  get nodeMs(): number {
    return 100_000 + this.nowMs * this.rates.node;
  }

  believes(id: AskId): boolean {
    return (this.beliefs.get(id)?.validForMs(this.clientMs) ?? 0) > 0;
  }

  ask(name: string): AskId {
    const id = this.client.nextId;
    this.known.set(id, 'asked');
    this.names.set(id, name);
    this.performAtClient(this.client.step({ kind: 'ask', nowMs: this.clientMs, id, ask: name, answerWithinMs: ANSWER_MS }));
    return id;
  }

  giveBack(id: AskId): void {
    if (this.isClientFrozen) return;
    this.beliefs.delete(id);
    const was = this.known.get(id);
    this.known.delete(id);
    if (was === 'asked' || was === 'held' || was === 'lost') this.unconfirmed.add(id);
    this.performAtClient(this.client.step({ kind: 'giveBack', nowMs: this.clientMs, id }));
  }

  play(each: Moment): void {
    const open = [...this.known.keys()];
    switch (each.kind) {
      case 'pass':
        return this.pass(each.ms);
      case 'ask':
        return void (this.isClientFrozen || this.ask(`${'ab'[each.which % 2]}`));
      case 'give back': {
        const id = open[each.which % Math.max(1, open.length)];
        return id === undefined ? undefined : this.giveBack(id);
      }
      case 'renew':
        for (const { machine, requests } of this.served) {
          for (const [id, request] of requests) {
            if (request.validUntilMs === 0) continue;
            request.validUntilMs = this.nodeMs + LEASE_MS * each.share;
            this.performAtNode(machine.step({ kind: 'renewed', nowMs: this.nodeMs, id, validForMs: LEASE_MS * each.share }), machine);
          }
        }
        return;
      case 'take': {
        const all = this.served.flatMap((served) => [...served.requests.keys()].map((id) => ({ ...served, id })));
        const one = all[each.which % Math.max(1, all.length)];
        if (one !== undefined) this.performAtNode(one.machine.step({ kind: 'taken', nowMs: this.nodeMs, id: one.id, reason: 'stolen' }), one.machine);
        return;
      }
      case 'cut':
        return this.cut(each.loses);
      case 'node hears':
        return this.nodeHears(each.which, each.again);
      case 'client hears':
        return this.clientHears(each.which, each.again);
      case 'freeze':
        if (each.who === 'client') this.isClientFrozen = !this.isClientFrozen;
        else this.isNodeFrozen = !this.isNodeFrozen;
        return;
      case 'node forgets':
        for (const id of this.beliefs.keys()) this.forgotten.add(id);
        this.cut(true);
        this.served = [];
        return;
    }
  }

  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed++) {
      this.nowMs++;
      if (!this.isClientFrozen) {
        if (this.clientMs >= this.client.wakeAtMs) this.performAtClient(this.client.step({ kind: 'wake', nowMs: this.clientMs }));
        if (this.client.hasToSay && passed % 3 === 0) this.performAtClient(this.client.step({ kind: 'flush', nowMs: this.clientMs }));
      }
      if (!this.isNodeFrozen) this.passAtNode(passed);
      this.check();
    }
  }

  /** Everything that was sent arrives, and nothing breaks or freezes any more. */
  calm(ms: number): void {
    this.isClientFrozen = false;
    this.isNodeFrozen = false;
    for (let passed = 0; passed < ms; passed++) {
      this.pass(1);
      this.play({ kind: 'renew', share: 1 });
      while (this.toNode.length > 0) this.nodeHears(0, false);
      while (this.toClient.length > 0) this.clientHears(0, false);
    }
  }

  /** Everything was given back, and both sides know. */
  get isSettled(): boolean {
    return this.client.isIdle && this.served.every(({ requests }) => requests.size === 0) && this.unconfirmed.size === 0;
  }

  private passAtNode(passed: number): void {
    for (const served of [...this.served]) {
      const { machine, requests } = served;
      if (this.nodeMs >= machine.wakeAtMs) this.performAtNode(machine.step({ kind: 'wake', nowMs: this.nodeMs }), machine);
      for (const [id, { validUntilMs }] of [...requests]) {
        if (validUntilMs > 0 && this.nodeMs >= validUntilMs) this.performAtNode(machine.step({ kind: 'taken', nowMs: this.nodeMs, id, reason: 'lost' }), machine);
      }
      this.grant();
      if (machine.hasToSay && passed % 2 === 0) {
        this.performAtNode(machine.step({ kind: 'flush', nowMs: this.nodeMs, validForMs: (id) => this.validForMs(requests, id) }), machine);
      }
      if (machine.isOver) this.served = this.served.filter((each) => each !== served);
    }
  }

  private validForMs(requests: ReadonlyMap<AskId, AtNode>, id: AskId): number {
    return Math.max(0, Math.floor((requests.get(id)?.validUntilMs ?? 0) - this.nodeMs));
  }

  /** The node lends each name to one at a time, in the order of asking. */
  private grant(): void {
    const taken = new Set(this.served.flatMap(({ requests }) => [...requests.values()].filter(({ validUntilMs }) => validUntilMs > 0).map(({ name }) => name)));
    for (const { machine, requests } of this.served) {
      for (const [id, request] of requests) {
        if (taken.has(request.name) || request.validUntilMs > 0) continue;
        taken.add(request.name);
        request.validUntilMs = this.nodeMs + LEASE_MS;
        this.performAtNode(machine.step({ kind: 'granted', nowMs: this.nodeMs, id, token: id, validForMs: LEASE_MS }), machine);
      }
    }
  }

  private cut(loses: boolean): void {
    if (this.isCut) return;
    this.isCut = true;
    const { stream } = this;
    // Frames that left before may come later, when nobody should care for them.
    if (loses) this.toNode = this.toNode.filter((each) => each.stream !== stream);
    if (loses) this.toClient = this.toClient.filter((each) => each.stream !== stream);
    for (const { machine } of this.served) this.performAtNode(machine.step({ kind: 'broke', nowMs: this.nodeMs, stream }), machine);
    this.performAtClient(this.client.step({ kind: 'broke', nowMs: this.clientMs, stream, failure: 'broke', isFinal: false, chance: (this.nowMs % 10) / 10 }));
  }

  /** Over the stream that is open in order; over older ones in any order, and more than once. */
  private nodeHears(which: number, again: boolean): void {
    const index = which % Math.max(1, this.toNode.length);
    const picked = this.toNode[index];
    if (picked === undefined || this.isNodeFrozen) return;
    const isOpen = picked.stream === this.stream && !this.isCut;
    const message = isOpen ? this.toNode.find(({ stream }) => stream === picked.stream) : picked;
    if (message === undefined) return;
    const { session, stream } = message;
    // The node may do the first thing that a frame asks for now, and the others later.
    const isPart = isOpen && again && message.frame.releases.length + message.frame.acquires.length > 1;
    const [frame, rest] = isPart ? firstOf(message.frame) : [message.frame, null];
    if (rest !== null) this.toNode.splice(this.toNode.indexOf(message), 1, { ...message, frame: rest });
    else if (isOpen || !again) this.toNode.splice(this.toNode.indexOf(message), 1);
    let served = this.served.find(({ number }) => number === session);
    if (served === undefined) {
      // A late hello of a session that is over begins one that nobody ends but its silence.
      if (frame.hello === null) return;
      served = { number: session, machine: new ServedSession(this.settings), requests: new Map() };
      this.served.push(served);
    }
    const { machine } = served;
    if (frame.hello !== null) this.performAtNode(machine.step({ kind: 'opened', nowMs: this.nodeMs, stream: frame.hello.stream, keep: frame.hello.keep }), machine);
    this.performAtNode(machine.step({ kind: 'frame', nowMs: this.nodeMs, stream, frame }), machine);
    if (!isOpen) this.performAtNode(machine.step({ kind: 'broke', nowMs: this.nodeMs, stream }), machine);
    this.check();
  }

  private clientHears(which: number, again: boolean): void {
    const picked = this.toClient[which % Math.max(1, this.toClient.length)];
    if (picked === undefined || this.isClientFrozen) return;
    const isOpen = picked.stream === this.stream && !this.isCut;
    const message = isOpen ? this.toClient.find(({ stream }) => stream === picked.stream) : picked;
    if (message === undefined) return;
    if (isOpen || !again) this.toClient.splice(this.toClient.indexOf(message), 1);
    this.performAtClient(this.client.step({ kind: 'heard', nowMs: this.clientMs, stream: message.stream, frame: message.frame }));
    this.check();
  }

  private performAtClient(effects: readonly ClientSessionEffect<string, Cause, string>[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'openStream':
          if (effect.isNew) this.session++;
          this.stream = effect.stream;
          this.isCut = false;
          break;
        case 'endStream':
          this.isCut = true;
          for (const { machine } of this.served) this.performAtNode(machine.step({ kind: 'broke', nowMs: this.nodeMs, stream: effect.stream }), machine);
          break;
        case 'send':
          this.toNode.push({ kind: 'frame', session: this.session, stream: effect.stream, frame: effect.frame });
          break;
        case 'held':
          this.known.set(effect.id, 'held');
          if (believedUntilMs(effect.validity) > this.clientMs) this.beliefs.set(effect.id, new HeldLock(believedUntilMs(effect.validity)));
          break;
        case 'valid':
          this.beliefs.get(effect.id)?.told(effect.validity);
          break;
        case 'ended':
        case 'failed':
          this.beliefs.get(effect.id)?.lose();
          if (effect.wasHeld) this.known.set(effect.id, 'lost');
          else this.known.delete(effect.id);
          break;
        case 'over':
          this.unconfirmed.delete(effect.id);
          break;
        case 'queued':
        case 'wanted': // Nobody keeps a lock here.
          break;
      }
    }
  }

  private performAtNode(effects: readonly ServedSessionEffect<string, string>[], machine: ServedSession<string, string>): void {
    const served = this.served.find((each) => each.machine === machine);
    for (const effect of effects) {
      switch (effect.kind) {
        case 'ask':
          served?.requests.set(effect.id, { name: effect.ask, validUntilMs: 0 });
          break;
        case 'giveUp':
        case 'giveBack':
          served?.requests.delete(effect.id);
          if (served?.number === this.session && this.believes(effect.id)) throw new Error(`${effect.id} is given back at ${this.nowMs}, and the client still counts on it`);
          break;
        case 'send':
          this.toClient.push({ stream: effect.stream, frame: effect.frame });
          break;
        case 'dropStream':
          if (effect.why === 'silent') this.cut(false);
          break;
        case 'inUse':
        case 'keepOn':
          break;
      }
    }
  }

  /** The law: whatever the client counts on, its node holds. What it held before a restart its arbiters keep for a lease, which is no matter of this play. */
  private check(): void {
    const held = new Set(this.served.filter(({ number }) => number === this.session).flatMap(({ requests }) => [...requests.keys()]));
    for (const id of this.beliefs.keys()) {
      if (this.believes(id) && !held.has(id) && !this.forgotten.has(id)) throw new Error(`at ${this.nowMs} the client counts on ${id}, which its node does not hold`);
    }
  }
}

const which = fc.nat(50);
const moment = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constantFrom('node hears' as const, 'client hears' as const), which, again: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('ask' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('give back' as const, 'take' as const), which }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('renew' as const), share: fc.constantFrom(0.1, 0.5, 1) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), loses: fc.boolean() }) },
  fc.record({ kind: fc.constant('freeze' as const), who: fc.constantFrom('client' as const, 'node' as const) }),
  fc.constant({ kind: 'node forgets' as const }),
);
type Moment = typeof moment extends fc.Arbitrary<infer M> ? M : never;

const rate = fc.double({ min: 1 - DRIFT_MAX / 2.01, max: 1 + DRIFT_MAX / 2.01, noNaN: true });
const play = fc.record({
  rates: fc.record({ client: rate, node: rate }),
  moments: fc.array(moment, { maxLength: 80 }),
});

test('a client never believes longer than its node keeps, whatever happens between them, and in the end all is given back', () => {
  holds(fc.property(play, ({ rates, moments }) => {
    const run = new Play(rates);
    for (const each of moments) run.play(each);
    run.calm(1);
    for (const id of run.known.keys()) run.giveBack(id);
    run.calm(4 * LEASE_MS);
    for (const id of run.known.keys()) run.giveBack(id);
    run.calm(200);
    expect(run.isSettled).toBe(true);
  }), 400);
});

describe('one session', () => {
  const exact: Rates = { client: 1, node: 1 };

  test('a node is missed from when it was asked: a client that is busy before it sends blames nobody', () => {
    const client = new ClientSession<string, Cause, string>({ answerMs: ANSWER_MS, idleMs: 50, frameBytesMax: 40, bytesOf: () => 1 });
    client.step({ kind: 'ask', nowMs: 10, id: 1, ask: 'a', answerWithinMs: ANSWER_MS / 2 });
    const sentAtMs = 10 + 5 * ANSWER_MS;
    expect(client.step({ kind: 'wake', nowMs: sentAtMs })).toEqual([]);
    expect(client.hasToSay).toBe(true);
    client.step({ kind: 'flush', nowMs: sentAtMs });
    expect(client.hasToSay).toBe(false);
    expect(client.wakeAtMs).toBe(sentAtMs + ANSWER_MS / 2);
    expect(client.step({ kind: 'wake', nowMs: sentAtMs + ANSWER_MS / 2 - 1 })).toEqual([]);
    expect(client.step({ kind: 'wake', nowMs: sentAtMs + ANSWER_MS / 2 })).toEqual([{ kind: 'failed', id: 1, failure: null, wasHeld: false }]);
  });

  test('a sign of life goes out four times in a lease while it waits; then when two fifths of a lease are left of some lock, and twice in a lease at least', () => {
    const client = new ClientSession<string, Cause, string>({ answerMs: ANSWER_MS, idleMs: 50, frameBytesMax: 40, bytesOf: () => 1 });
    const silent = { welcome: null, queued: [], held: [], valid: [], wanted: [], ended: [], allValidForMs: null };
    const hear = (frame: Partial<NodeFrame<Cause>> & { readonly sentAtMs: number }): number => {
      client.step({ kind: 'heard', nowMs: frame.sentAtMs, stream: 1, frame: { ...silent, ...frame } });
      return client.wakeAtMs - frame.sentAtMs;
    };
    for (const id of [1, 2, 3]) client.step({ kind: 'ask', nowMs: 0, id, ask: 'a', answerWithinMs: ANSWER_MS });
    client.step({ kind: 'flush', nowMs: 0 });
    const welcome = { resumed: false, leaseMs: LEASE_MS };
    expect(hear({ welcome, sentAtMs: 0, held: [{ id: 1, token: 5, validForMs: LEASE_MS }], queued: [2, 3] })).toBe(LEASE_MS / 4);
    expect(hear({ sentAtMs: 0, held: [{ id: 2, token: 6, validForMs: 0.7 * LEASE_MS }], queued: [3] })).toBe(LEASE_MS / 4);
    client.step({ kind: 'giveBack', nowMs: 0, id: 3 });
    client.step({ kind: 'flush', nowMs: 1 });
    expect(hear({ sentAtMs: 1, valid: [{ id: 1, validForMs: LEASE_MS }] })).toBe(0.3 * LEASE_MS - 1);
    expect(hear({ sentAtMs: 1, allValidForMs: 0.8 * LEASE_MS })).toBe(0.4 * LEASE_MS);
    expect(hear({ sentAtMs: 1, allValidForMs: LEASE_MS })).toBe(LEASE_MS / 2);
    for (const id of [1, 2]) client.step({ kind: 'giveBack', nowMs: 1, id });
    client.step({ kind: 'ask', nowMs: 1, id: 4, ask: 'a', answerWithinMs: ANSWER_MS });
    client.step({ kind: 'flush', nowMs: 2 });
    expect(hear({ sentAtMs: 2, held: [{ id: 4, token: 7, validForMs: 0.3 * LEASE_MS }] })).toBe(LEASE_MS / 4);
  });

  test('is taken up again after its stream broke: what is held stays held, what waits keeps its place', () => {
    const run = new Play(exact);
    const [held, first] = [run.ask('a'), run.ask('a')];
    run.calm(20);
    expect([run.known.get(held), run.known.get(first)]).toEqual(['held', 'asked']);
    run.play({ kind: 'cut', loses: true });
    run.calm(150);
    const last = run.ask('a');
    run.calm(2 * LEASE_MS);
    expect([run.believes(held), run.known.get(first), run.known.get(last)]).toEqual([true, 'asked', 'asked']);
    run.giveBack(held);
    run.calm(10);
    expect([run.believes(first), run.known.get(last)]).toEqual([true, 'asked']);
  });

  test('what was asked for in a frame that never arrived is asked for again, and what was given back in one is free', () => {
    const run = new Play(exact);
    const held = run.ask('a');
    run.calm(20);
    run.giveBack(held);
    const [same, other] = [run.ask('a'), run.ask('b')];
    run.pass(4);
    run.play({ kind: 'cut', loses: true });
    run.calm(150);
    expect([run.believes(same), run.believes(other)]).toEqual([true, true]);
  });

  test('held is told again when the break swallowed it', () => {
    const run = new Play(exact);
    run.ask('b');
    run.calm(20);
    const id = run.ask('a');
    run.pass(4);
    run.play({ kind: 'node hears', which: 0, again: false });
    run.pass(4);
    run.play({ kind: 'cut', loses: true });
    expect(run.known.get(id)).toBe('asked');
    run.calm(150);
    expect(run.believes(id)).toBe(true);
  });

  test('at a node that knows it no more everything of it is lost', () => {
    const run = new Play(exact);
    const [held, waits] = [run.ask('a'), run.ask('a')];
    run.calm(20);
    run.play({ kind: 'node forgets' });
    run.calm(150);
    expect([run.known.get(held), run.known.get(waits)]).toEqual(['lost', undefined]);
  });

  test('whoever is robbed before it was told of its grant hears of both', () => {
    const run = new Play(exact);
    const id = run.ask('a');
    run.pass(4);
    run.play({ kind: 'node hears', which: 0, again: false });
    run.pass(1);
    run.play({ kind: 'take', which: 0 });
    run.calm(10);
    expect(run.known.get(id)).toBe('lost');
  });

  test('ten thousand idle locks are kept by words about all of them', () => {
    const settings = { leaseMs: LEASE_MS, marginMs: 12 };
    const machine = new ServedSession<string, string>(settings);
    machine.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
    const acquires = Array.from({ length: 10_000 }, (_, index) => ({ id: index + 1, ask: 'x' }));
    machine.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: 7, releases: [], spent: [], inUse: [], acquires } });
    for (const { id } of acquires) machine.step({ kind: 'granted', nowMs: 0, id, token: id, validForMs: LEASE_MS });
    while (machine.hasToSay) machine.step({ kind: 'flush', nowMs: 0, validForMs: () => LEASE_MS });
    machine.step({ kind: 'frame', nowMs: 250, stream: 1, frame: { sentAtMs: 257, releases: [], spent: [], inUse: [], acquires: [] } });
    const effects = machine.step({ kind: 'flush', nowMs: 250, validForMs: (id) => (id === 5_000 ? 700 : 900) });
    expect(effects).toEqual([{ kind: 'send', stream: 1, frame: { welcome: null, sentAtMs: 257, queued: [], held: [], valid: [], wanted: [], ended: [], allValidForMs: 700 } }]);
    expect(machine.hasToSay).toBe(false);
  });

  test('no word is said about all while the end of one has not been told', () => {
    const machine = new ServedSession<string, string>({ leaseMs: LEASE_MS, marginMs: 12 });
    machine.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
    const acquires = Array.from({ length: 600 }, (_, index) => ({ id: index + 1, ask: 'x' }));
    machine.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: 7, releases: [], spent: [], inUse: [], acquires } });
    for (const { id } of acquires) machine.step({ kind: 'granted', nowMs: 0, id, token: id, validForMs: LEASE_MS });
    while (machine.hasToSay) machine.step({ kind: 'flush', nowMs: 0, validForMs: () => LEASE_MS });
    for (const { id } of acquires.slice(1)) machine.step({ kind: 'taken', nowMs: 300, id, reason: 'stolen' });
    machine.step({ kind: 'frame', nowMs: 400, stream: 1, frame: { sentAtMs: 407, releases: [], spent: [], inUse: [], acquires: [] } });
    const words: (number | null)[] = [];
    while (machine.hasToSay) {
      for (const effect of machine.step({ kind: 'flush', nowMs: 400, validForMs: () => 900 })) if (effect.kind === 'send') words.push(effect.frame.allValidForMs);
    }
    expect(words).toEqual([null, null, 900]);
  });

  test('a grant that was taken before it was told is told for no longer than was promised, whatever came in between', () => {
    const machine = new ServedSession<string, string>({ leaseMs: 1_000, marginMs: 12 });
    machine.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
    machine.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: 0, releases: [], spent: [], inUse: [], acquires: [{ id: 1, ask: 'a' }] } });
    machine.step({ kind: 'granted', nowMs: 0, id: 1, token: 7, validForMs: 1_000 });
    machine.step({ kind: 'taken', nowMs: 0, id: 1, reason: 'stolen' });
    machine.step({ kind: 'frame', nowMs: 400, stream: 1, frame: { sentAtMs: 400, releases: [], spent: [], inUse: [], acquires: [] } });
    expect(machine.step({ kind: 'flush', nowMs: 400, validForMs: () => 0 })).toMatchObject([{ kind: 'send', frame: { sentAtMs: 400, held: [{ id: 1, validForMs: 600 }], ended: [{ id: 1 }] } }]);
  });

  test('passing: whoever gave up is no longer told of; and when nobody waits there is no room, for others may want the lock (protocol.md section 15.5)', () => {
    const told = (gaveUp: readonly number[]): unknown => {
      const machine = new ServedSession<string, string>({ leaseMs: LEASE_MS, marginMs: 12 });
      machine.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
      machine.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: 0, releases: [], spent: [], inUse: [], acquires: [1, 2, 3].map((id) => ({ id, ask: 'a' })) } });
      machine.step({ kind: 'granted', nowMs: 0, id: 1, token: 7, validForMs: LEASE_MS, room: { until: 9, passTo: [2, 3] } });
      machine.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: 0, releases: gaveUp, spent: [], inUse: [], acquires: [] } });
      return machine.step({ kind: 'flush', nowMs: 0, validForMs: () => 900 });
    };
    const held = { id: 1, token: 7, validForMs: 900 };
    expect(told([])).toMatchObject([{ frame: { held: [{ ...held, roomUntil: 9, passTo: [2, 3] }] } }]);
    expect(told([2])).toMatchObject([{ frame: { held: [{ ...held, roomUntil: 9, passTo: [3] }] } }]);
    expect(told([2, 3])).toEqual([expect.objectContaining({ frame: expect.objectContaining({ held: [held] }) as unknown })]);
  });

  test('nothing is said before the first frame is done as a whole: the client could not count from it', () => {
    const machine = new ServedSession<string, string>({ leaseMs: LEASE_MS, marginMs: 12 });
    const flush = (): readonly unknown[] => machine.step({ kind: 'flush', nowMs: 5, validForMs: () => 900 });
    machine.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
    machine.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: null, releases: [], spent: [], inUse: [], acquires: [{ id: 1, ask: 'a' }] } });
    machine.step({ kind: 'granted', nowMs: 0, id: 1, token: 7, validForMs: LEASE_MS });
    expect([machine.hasToSay, flush()]).toEqual([false, []]);
    machine.step({ kind: 'frame', nowMs: 5, stream: 1, frame: { sentAtMs: 3, releases: [], spent: [], inUse: [], acquires: [{ id: 2, ask: 'b' }] } });
    expect(machine.hasToSay).toBe(true);
    expect(flush()).toMatchObject([{ kind: 'send', frame: { sentAtMs: 3, welcome: { resumed: false }, held: [{ id: 1, token: 7, validForMs: 900 }] } }]);
  });

  test('a lock that is held on for nobody is kept when its client is done, and nobody is missed for its sake', () => {
    const session = new ServedSession<string, string>({ leaseMs: 1_000, marginMs: 10 });
    const frame = (sentAtMs: number, releases: readonly number[] = [], acquires: readonly { id: number; ask: string }[] = []) => ({ sentAtMs, releases, spent: [], inUse: [], acquires });
    session.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
    session.step({ kind: 'frame', nowMs: 0, stream: 1, frame: frame(0, [], [{ id: 1, ask: 'a' }]) });
    session.step({ kind: 'granted', nowMs: 0, id: 1, token: 7, validForMs: 1_000, atLeastMs: 30_000 });
    session.step({ kind: 'flush', nowMs: 0, validForMs: () => 900 });
    expect(session.step({ kind: 'frame', nowMs: 10, stream: 1, frame: frame(10, [1]) })).toEqual([{ kind: 'keepOn', id: 1, untilMs: 30_000 }]);
    session.step({ kind: 'wake', nowMs: 15 }); // when it would have been said to wait
    expect([session.size, [...session.inUse()], session.wakeAtMs]).toEqual([1, [1], 30_000]);
    session.step({ kind: 'broke', nowMs: 20, stream: 1 });
    expect([session.isOver, session.wakeAtMs]).toEqual([false, 30_000]);
    expect(session.step({ kind: 'wake', nowMs: 30_000 })).toEqual([{ kind: 'giveBack', id: 1, used: 7 }]);
    expect(session.isOver).toBe(true);
  });

  test('whoever was away for too long is told that a request is unknown, though the lock is held on for nobody', () => {
    const session = new ServedSession<string, string>({ leaseMs: 1_000, marginMs: 10 });
    session.step({ kind: 'opened', nowMs: 0, stream: 1, keep: [] });
    session.step({ kind: 'frame', nowMs: 0, stream: 1, frame: { sentAtMs: 0, releases: [], spent: [], inUse: [], acquires: [{ id: 1, ask: 'a' }] } });
    session.step({ kind: 'granted', nowMs: 0, id: 1, token: 7, validForMs: 1_000, atLeastMs: 30_000 });
    session.step({ kind: 'flush', nowMs: 0, validForMs: () => 900 });
    session.step({ kind: 'broke', nowMs: 10, stream: 1 });
    expect(session.step({ kind: 'wake', nowMs: 2_000 })).toEqual([{ kind: 'keepOn', id: 1, untilMs: 30_000 }]);
    session.step({ kind: 'opened', nowMs: 3_000, stream: 2, keep: [1] });
    session.step({ kind: 'frame', nowMs: 3_000, stream: 2, frame: { sentAtMs: 3_000, releases: [], spent: [], inUse: [], acquires: [] } });
    expect(session.step({ kind: 'flush', nowMs: 3_000, validForMs: () => 900 })).toMatchObject([{ kind: 'send', frame: { held: [], ended: [{ id: 1, ended: { kind: 'unknown' } }] } }]);
    expect([...session.inUse()]).toEqual([1]);
  });
});
