/** When a node begins to lend its vote beside nodes of another configuration (protocol.md section 17.1). */
import fc from 'fast-check';
import { buildCoterie } from '../../src/quorum';
import type { Coterie } from '../../src/quorum';
import { Candidacy } from '../../src/core';
import type { CandidacyOrder, CandidacySettings, NodeId, RivalAnswer, Standing } from '../../src/core';
import { holds } from '../support/holds';

const LEASE_MS = 1_000;
const OTHER_LEASE_MS = 3_000;
const FIVE = buildCoterie(['n1', 'n2', 'n3', 'n4', 'n5'], { family: 'majority' });

/** One node, and what it was ordered to do; what goes to the disk is there at once. */
class Candidate {
  readonly candidacy: Candidacy;
  readonly orders: CandidacyOrder[] = [];
  nowMs = 0;
  private readonly lives = new Map<NodeId, Pick<RivalAnswer, 'life' | 'begins'>>();

  constructor(settings: Partial<CandidacySettings> = {}) {
    this.candidacy = new Candidacy({ self: 'n1', coterie: FIVE, leaseMs: LEASE_MS, startedAtMs: 0, silentMs: LEASE_MS, firstStart: false, ...settings });
    this.follow(this.candidacy.advance(0));
  }

  get standing(): Standing {
    return this.candidacy.standing;
  }

  follow(orders: readonly CandidacyOrder[]): void {
    for (const order of orders) {
      this.orders.push(order);
      if (order.kind === 'prepare') this.follow(this.candidacy.termsAreWritten(this.nowMs));
    }
  }

  /** `up n2 n3`, `fails n4`, `serves n5` … each dial begins and ends now. */
  hears(what: 'up' | 'down' | 'fails' | Standing, ...peers: NodeId[]): this {
    for (const peer of peers) {
      if (what === 'down') {
        this.follow(this.candidacy.peerDown(peer, this.nowMs));
        continue;
      }
      this.candidacy.dialStarts(peer);
      if (what === 'up') this.follow(this.candidacy.peerUp(peer, this.nowMs));
      else if (what === 'fails') this.follow(this.candidacy.dialFails(peer, this.nowMs));
      else this.follow(this.candidacy.rivalAnswers(peer, { standing: what, leaseMs: OTHER_LEASE_MS, layout: 'other', ...this.lifeOf(peer) }, this.nowMs));
    }
    return this;
  }

  /** From now on the peer answers as one that has begun once more, or that has started again. */
  meanwhile(peer: NodeId, what: 'begins' | 'starts again'): this {
    const { life, begins } = this.lifeOf(peer);
    this.lives.set(peer, what === 'begins' ? { life, begins: begins + 1 } : { life: `${life}+`, begins: 0 });
    return this;
  }

  private lifeOf(peer: NodeId): Pick<RivalAnswer, 'life' | 'begins'> {
    return this.lives.get(peer) ?? { life: peer, begins: 0 };
  }

  /** Time passes; what it wishes to be woken for comes. */
  at(nowMs: number): this {
    for (;;) {
      const next = Math.min(...this.orders.flatMap((order) => (order.kind === 'wake' && order.atMs > this.nowMs ? [order.atMs] : [])));
      if (next > nowMs) break;
      this.nowMs = next;
      this.follow(this.candidacy.advance(next));
    }
    this.nowMs = nowMs;
    return this;
  }
}

describe('candidacy: without anybody of another configuration', () => {
  test('a node begins when its silence is over, a quorum is in reach, and every other peer was tried', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3');
    expect(n1.standing).toBe('wishes');
    expect(n1.orders).toContainEqual({ kind: 'probe' });
    n1.hears('fails', 'n4', 'n5').at(LEASE_MS - 1);
    expect(n1.standing).toBe('wishes');
    expect(n1.at(LEASE_MS).hears('fails', 'n4', 'n5').standing).toBe('serves');
    expect(n1.orders.slice(-2)).toEqual([{ kind: 'prepare' }, { kind: 'silence', untilMs: LEASE_MS }]);
  });

  test('a peer that was not tried since the wish keeps it waiting', () => {
    const n1 = new Candidate().hears('fails', 'n4', 'n5').hears('up', 'n2', 'n3').at(2 * LEASE_MS);
    expect(n1.standing).toBe('wishes');
    expect(n1.hears('fails', 'n4').standing).toBe('wishes');
    expect(n1.hears('fails', 'n5').standing).toBe('serves');
  });

  test('told that nobody ever ran, it begins as soon as a quorum is in reach and the others were tried', () => {
    const n1 = new Candidate({ firstStart: true }).hears('up', 'n2', 'n3').hears('fails', 'n4');
    expect(n1.standing).toBe('wishes');
    expect(n1.candidacy.silentForMs(0)).toBe(0);
    expect(n1.hears('fails', 'n5').standing).toBe('serves');
  });

  test('its terms are on disk before it begins', () => {
    const { candidacy } = new Candidate();
    for (const peer of ['n2', 'n3', 'n4', 'n5']) candidacy.peerUp(peer, 0);
    expect(candidacy.advance(LEASE_MS)).toEqual([{ kind: 'probe' }, { kind: 'prepare' }]);
    expect(candidacy.advance(LEASE_MS)).toEqual([]);
    expect(candidacy.standing).toBe('wishes');
    expect(candidacy.termsAreWritten(LEASE_MS)).toEqual([{ kind: 'silence', untilMs: LEASE_MS }]);
  });

  test('it goes on when no quorum is in reach any more, and again when one is: nobody else is there', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3', 'n4', 'n5').at(LEASE_MS).hears('down', 'n2', 'n3', 'n4');
    expect(n1.standing).toBe('none');
    expect(n1.candidacy.hasBegun).toBe(true);
    expect(n1.hears('up', 'n2').standing).toBe('serves');
  });

  test('a node that is its own quorum begins by itself', () => {
    expect(new Candidate({ coterie: buildCoterie(['n1'], { family: 'majority' }), firstStart: true }).standing).toBe('serves');
  });
});

describe('candidacy: beside a peer of another configuration', () => {
  test('while it serves, the silence goes on; when it no longer does, for a lease of its own', () => {
    const n1 = new Candidate().hears('serves', 'n4').hears('up', 'n2', 'n3').hears('fails', 'n5').at(10 * LEASE_MS);
    expect(n1.standing).toBe('none'); // It gave way, and has no claim, however long it is up.
    expect(n1.candidacy.silentForMs(n1.nowMs)).toBe(LEASE_MS);
    n1.hears('none', 'n4').at(10 * LEASE_MS + OTHER_LEASE_MS - 1);
    expect(n1.standing).toBe('none');
    n1.at(10 * LEASE_MS + OTHER_LEASE_MS);
    expect(n1.standing).toBe('wishes');
    expect(n1.hears('none', 'n4').hears('fails', 'n5').standing).toBe('serves');
  });

  test('one that cannot be reached any more serves no more, as far as this node can know', () => {
    const n1 = new Candidate().hears('serves', 'n4').hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(OTHER_LEASE_MS - 1);
    expect(n1.standing).toBe('none');
    expect(n1.at(OTHER_LEASE_MS).hears('fails', 'n4', 'n5').standing).toBe('serves');
  });

  test('one that comes back within that lease goes on', () => {
    const n1 = new Candidate().hears('serves', 'n4').hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(OTHER_LEASE_MS - 1).hears('wishes', 'n4');
    expect(n1.at(10 * OTHER_LEASE_MS).standing).toBe('none');
  });

  test('what it answered to a dial from before the wish is old: it is dialled again', () => {
    const { candidacy } = new Candidate({ coterie: buildCoterie(['n1', 'n2', 'n4'], { family: 'majority' }), firstStart: true });
    const answer: RivalAnswer = { standing: 'none', leaseMs: 10, layout: 'other', life: 'n4', begins: 0 };
    candidacy.dialStarts('n4');
    candidacy.peerUp('n2', 0);
    candidacy.rivalAnswers('n4', answer, 0);
    expect(candidacy.advance(10)).toEqual([{ kind: 'probe' }]);
    candidacy.dialStarts('n4');
    expect(candidacy.rivalAnswers('n4', answer, 20)).toEqual([{ kind: 'prepare' }]);
  });

  test('one that serves nothing is no obstacle, but its lease has to pass: it may have served a moment before', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3').hears('none', 'n4').hears('fails', 'n5').at(OTHER_LEASE_MS - 1);
    expect(n1.standing).toBe('wishes');
    expect(n1.at(OTHER_LEASE_MS).hears('none', 'n4').hears('fails', 'n5').standing).toBe('serves');
  });

  test('a node that serves goes on, whatever it hears', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(LEASE_MS).hears('fails', 'n4', 'n5').hears('serves', 'n4', 'n5').at(10 * LEASE_MS);
    expect(n1.standing).toBe('serves');
    expect(n1.candidacy.rivalViews).toMatchObject([{ peer: 'n4', standing: 'serves' }, { peer: 'n5', standing: 'serves' }]);
  });

  test('but one that has lost its quorum begins anew', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(LEASE_MS).hears('fails', 'n4', 'n5').hears('none', 'n4').hears('down', 'n2');
    expect(n1.orders.at(-1)).toEqual({ kind: 'silence', untilMs: null, renews: false });
    expect(n1.candidacy.hasBegun).toBe(false);
    n1.hears('wishes', 'n4').hears('up', 'n2');
    expect(n1.at(10 * OTHER_LEASE_MS).standing).toBe('wishes');
  });

  test('what a stranger says counts for nothing, except that the peer it claims to be is dialled', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3').at(LEASE_MS).hears('fails', 'n4', 'n5');
    expect(n1.candidacy.strangerCalls('n4', n1.nowMs)).toEqual([{ kind: 'probe' }]);
    expect(n1.candidacy.strangerCalls('n4', n1.nowMs)).toEqual([]);
    expect(n1.candidacy.strangerCalls('n9', n1.nowMs)).toEqual([]);
    expect(n1.standing).toBe('serves');
    n1.hears('fails', 'n4').hears('down', 'n2');
    expect(n1.candidacy.hasBegun).toBe(true);
    // One that has no quorum waits for what the dial says.
    n1.follow(n1.candidacy.strangerCalls('n5', n1.nowMs));
    expect(n1.candidacy.hasBegun).toBe(false);
  });
});

describe('candidacy: what is lent runs out where a rival may begin (lent-runs-out)', () => {
  const RUNS_OUT: CandidacyOrder = { kind: 'silence', untilMs: null, renews: false };

  function silences(n1: Candidate): CandidacyOrder[] {
    return n1.orders.filter(({ kind }) => kind === 'silence');
  }

  test('a node that gives way renews nothing, also when it wishes again, until it begins', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3').hears('wishes', 'n4');
    expect(silences(n1)).toEqual([]); // It wishes too, so the rival waits.
    n1.hears('serves', 'n4');
    expect(silences(n1)).toEqual([RUNS_OUT]);
    n1.hears('none', 'n4').at(OTHER_LEASE_MS);
    expect([n1.standing, silences(n1)]).toEqual(['wishes', [RUNS_OUT]]);
    expect(n1.hears('none', 'n4').hears('fails', 'n5').standing).toBe('serves');
    expect(silences(n1)).toEqual([RUNS_OUT, { kind: 'silence', untilMs: OTHER_LEASE_MS }]);
  });

  test('a node without a quorum takes nothing back in from when it knows a rival, or a stranger calls: what that one hears is that nobody claims anything', () => {
    expect(silences(new Candidate().hears('none', 'n4'))).toEqual([RUNS_OUT]);
    const called = new Candidate();
    called.follow(called.candidacy.strangerCalls('n4', 0));
    expect(silences(called)).toEqual([RUNS_OUT]);
    // Nobody can have told the rival otherwise meanwhile.
    called.hears('fails', 'n4').hears('up', 'n2', 'n3').at(LEASE_MS - 1);
    expect(silences(called)).toEqual([RUNS_OUT]);
  });

  test('a node that knows no rival renews and takes back in, with a quorum or without', () => {
    expect(silences(new Candidate().hears('fails', 'n4', 'n5').at(LEASE_MS))).toEqual([]);
    expect(silences(new Candidate().hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(LEASE_MS - 1))).toEqual([]);
  });

  test.each(['begins', 'starts again'] as const)('a rival that %s between two looks may have lent: its lease is waited for anew', (what) => {
    const n1 = new Candidate().hears('up', 'n2').hears('none', 'n4').hears('fails', 'n5').at(2 * OTHER_LEASE_MS);
    expect(n1.meanwhile('n4', what).hears('up', 'n3').hears('none', 'n4').hears('fails', 'n5').standing).toBe('wishes');
    expect(n1.at(3 * OTHER_LEASE_MS - 1).hears('none', 'n4').hears('fails', 'n5').standing).toBe('wishes');
    expect(n1.at(3 * OTHER_LEASE_MS).hears('none', 'n4').hears('fails', 'n5').standing).toBe('serves');
  });

  test('one that claims nothing again and again, and has not begun, is waited for once', () => {
    const n1 = new Candidate().hears('up', 'n2').hears('none', 'n4').hears('fails', 'n5').at(2 * OTHER_LEASE_MS);
    expect(n1.hears('up', 'n3').hears('none', 'n4').hears('fails', 'n5').standing).toBe('serves');
  });

  test.each(['fails', 'up'] as const)('what a rival did before it was lost sight of nobody knows (%s): its lease counts from then', (outcome) => {
    const n1 = new Candidate().hears('up', 'n2').hears('none', 'n4').at(2 * OTHER_LEASE_MS);
    n1.hears(outcome, 'n4').hears('up', 'n3').hears('fails', 'n5');
    if (outcome === 'fails') n1.hears('fails', 'n4');
    expect(n1.standing).toBe('wishes');
    n1.at(3 * OTHER_LEASE_MS - 1).hears('fails', 'n5');
    expect(n1.standing).toBe('wishes');
    n1.at(3 * OTHER_LEASE_MS).hears('fails', 'n5');
    if (outcome === 'fails') n1.hears('fails', 'n4');
    expect(n1.standing).toBe('serves');
  });

  test('a rival that could not be reached when the wish began is looked for again when the node may begin', () => {
    const n1 = new Candidate().hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(LEASE_MS);
    expect(n1.standing).toBe('wishes');
    expect(n1.orders.filter(({ kind }) => kind === 'probe')).toHaveLength(2);
    expect(n1.hears('fails', 'n5').hears('serves', 'n4').standing).toBe('none');
  });

  test('a peer that is connected may have started again with another file: whoever calls in its name is a stranger, too', () => {
    const n1 = new Candidate({ firstStart: true }).hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').hears('down', 'n2');
    expect(n1.candidacy.hasBegun).toBe(true);
    n1.follow(n1.candidacy.strangerCalls('n3', 0));
    expect([n1.candidacy.hasBegun, n1.orders.at(-1)]).toEqual([false, { kind: 'probe' }]);
    expect(silences(n1).at(-1)).toEqual(RUNS_OUT);
  });
});

describe('candidacy: --first-start, contradicted', () => {
  test('before it lent anything it is silent as any other', () => {
    const n1 = new Candidate({ firstStart: true });
    n1.follow(n1.candidacy.contradicts('n2', 10));
    n1.hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5').at(LEASE_MS - 1);
    expect(n1.standing).toBe('wishes');
    expect(n1.candidacy.contradiction).toEqual({ peer: 'n2', hasLent: false });
    expect(n1.at(LEASE_MS).hears('fails', 'n4', 'n5').standing).toBe('serves');
  });

  test('after it lent it says so, and is silent for the rest of that time', () => {
    const n1 = new Candidate({ firstStart: true }).hears('up', 'n2', 'n3').hears('fails', 'n4', 'n5');
    n1.nowMs = 10;
    n1.follow(n1.candidacy.contradicts('n4', 10));
    expect(n1.orders).toContainEqual({ kind: 'silence', untilMs: null });
    expect(n1.candidacy.contradiction).toEqual({ peer: 'n4', hasLent: true });
    expect(n1.hears('fails', 'n4', 'n5').at(LEASE_MS - 1).standing).toBe('wishes');
    expect(n1.at(LEASE_MS).hears('fails', 'n4', 'n5').standing).toBe('serves');
  });

  test('a node that was told nothing has nothing to be contradicted', () => {
    const n1 = new Candidate();
    expect(n1.candidacy.contradicts('n2', 0)).toEqual([]);
    expect(n1.candidacy.contradiction).toBeNull();
  });
});

// --- two configurations at once ------------------------------------------------------------------------

const OLD = buildCoterie(['n1', 'n2', 'n3', 'n4', 'n5'], { family: 'majority' });
const NEW = buildCoterie(['n1', 'n2', 'n3', 'n4', 'n5', 'n6', 'n7'], { family: 'majority' });

type Side = 'old' | 'new';
type Files = Readonly<Record<Side, Coterie>>;

/** Two nodes of each file, and both files name all four: the fewest steps lead to trouble here. */
const PAIRS: Files = {
  old: buildCoterie(['n1', 'n2', 'n3', 'n4'], { family: 'explicit', sets: { n1: ['n1', 'n2'], n2: ['n1', 'n2'], n3: ['n1', 'n2'], n4: ['n1', 'n2'] } }),
  new: buildCoterie(['n1', 'n2', 'n3', 'n4'], { family: 'explicit', sets: { n1: ['n3', 'n4'], n2: ['n3', 'n4'], n3: ['n3', 'n4'], n4: ['n3', 'n4'] } }),
};

/** Seven processes, some under the old file and some under the new one. Dials, answers and disks take as long as the test draws. */
class Deployment {
  nowMs = 0;
  readonly nodes = new Map<NodeId, { readonly side: Side; readonly candidacy: Candidacy }>();
  private readonly wakes: { readonly id: NodeId; readonly candidacy: Candidacy; readonly atMs: number }[] = [];
  private readonly underWay: (() => void)[] = [];
  private readonly cuts = new Set<string>();
  private readonly dials = new WeakMap<Candidacy, Set<NodeId>>();
  private readonly lives = new WeakMap<Candidacy, number>();
  private livesSoFar = 0;

  constructor(private readonly files: Files = { old: OLD, new: NEW }) {}

  start(id: NodeId, side: Side, firstStart: boolean): void {
    this.stop(id);
    const candidacy = new Candidacy({ self: id, coterie: this.files[side], leaseMs: LEASE_MS, startedAtMs: this.nowMs, silentMs: LEASE_MS, firstStart });
    this.nodes.set(id, { side, candidacy });
    this.lives.set(candidacy, ++this.livesSoFar);
    this.follow(id, candidacy, candidacy.advance(this.nowMs));
    for (const peer of this.peersOf(id)) this.dial(id, peer);
  }

  stop(id: NodeId): void {
    if (!this.nodes.delete(id)) return;
    for (const [other, { candidacy }] of this.nodes) this.follow(other, candidacy, candidacy.peerDown(id, this.nowMs));
  }

  cut(a: NodeId, b: NodeId): void {
    this.cuts.add([a, b].sort().join());
    for (const [self, peer] of [[a, b], [b, a]] as const) {
      const node = this.nodes.get(self);
      if (node?.side === this.nodes.get(peer)?.side && node !== undefined) this.follow(self, node.candidacy, node.candidacy.peerDown(peer, this.nowMs));
    }
  }

  heal(): void {
    this.cuts.clear();
  }

  /** Everybody dials those whom it does not reach. */
  dialAll(): void {
    for (const id of this.nodes.keys()) for (const peer of this.peersOf(id)) this.dial(id, peer);
  }

  /** One of the things under way happens: the `choice`th. */
  happen(choice: number): void {
    const [next] = this.underWay.splice(choice % Math.max(1, this.underWay.length), 1);
    next?.();
  }

  settle(): void {
    for (let i = 0; i < 2_000 && this.underWay.length > 0; i++) this.happen(0);
  }

  pass(ms: number): void {
    this.nowMs += ms;
    for (const wake of [...this.wakes]) {
      if (wake.atMs > this.nowMs) continue;
      this.wakes.splice(this.wakes.indexOf(wake), 1);
      if (this.nodes.get(wake.id)?.candidacy === wake.candidacy) this.follow(wake.id, wake.candidacy, wake.candidacy.advance(this.nowMs));
    }
  }

  serving(side: Side): NodeId[] {
    return [...this.nodes].filter(([, node]) => node.side === side && node.candidacy.hasBegun).map(([id]) => id);
  }

  standings(): string {
    return [...this.nodes].map(([id, { side, candidacy }]) => `${id} ${side} ${candidacy.standing}`).join(', ');
  }

  check(): void {
    const [inOld, inNew] = (['old', 'new'] as const).map((side) => this.files[side].containsQuorum(new Set(this.serving(side))));
    const both = inOld === true && inNew === true;
    if (both) throw new Error(`two configurations lend votes: ${this.standings()}`);
  }

  /** Whom the node dials at present: one dial for each peer at a time. */
  private dialsOf(candidacy: Candidacy): Set<NodeId> {
    const known = this.dials.get(candidacy) ?? new Set();
    this.dials.set(candidacy, known);
    return known;
  }

  private peersOf(id: NodeId): NodeId[] {
    return this.files[this.nodes.get(id)?.side ?? 'old'].nodes.filter((node) => node !== id);
  }

  private dial(id: NodeId, peer: NodeId): void {
    const node = this.nodes.get(id);
    if (node === undefined) return;
    const { candidacy, side } = node;
    const isMine = (): boolean => this.nodes.get(id)?.candidacy === candidacy;
    const dials = this.dialsOf(candidacy);
    if (dials.has(peer)) return;
    dials.add(peer);
    candidacy.dialStarts(peer);
    this.underWay.push(() => {
      const other = this.nodes.get(peer);
      if (!isMine()) return;
      if (other === undefined || other.side === side) dials.delete(peer);
      if (other === undefined || this.cuts.has([id, peer].sort().join())) {
        this.follow(id, candidacy, candidacy.dialFails(peer, this.nowMs));
      } else if (other.side === side) {
        this.follow(id, candidacy, candidacy.peerUp(peer, this.nowMs));
        this.follow(peer, other.candidacy, other.candidacy.peerUp(id, this.nowMs));
      } else {
        this.follow(peer, other.candidacy, other.candidacy.strangerCalls(id, this.nowMs));
        const { standing, begins } = other.candidacy;
        const answer: RivalAnswer = { standing, leaseMs: LEASE_MS, layout: other.side, life: String(this.lives.get(other.candidacy)), begins };
        this.underWay.push(() => {
          dials.delete(peer);
          if (isMine()) this.follow(id, candidacy, candidacy.rivalAnswers(peer, answer, this.nowMs));
        });
      }
    });
  }

  private follow(id: NodeId, candidacy: Candidacy, orders: readonly CandidacyOrder[]): void {
    for (const order of orders) {
      if (order.kind === 'wake') this.wakes.push({ id, candidacy, atMs: order.atMs });
      else if (order.kind === 'probe') for (const peer of this.peersOf(id)) this.dial(id, peer);
      else if (order.kind === 'prepare') this.underWay.push(() => this.follow(id, candidacy, candidacy.termsAreWritten(this.nowMs)));
    }
    this.check();
  }
}

const OLD_FIVE = ['n1', 'n2', 'n3', 'n4', 'n5'];
const NEW_FOUR = ['n4', 'n5', 'n6', 'n7'];
const THREE = ['n1', 'n2', 'n3'];

function running(...starts: [NodeId[], Side][]): Deployment {
  const deployment = new Deployment();
  for (const [ids, side] of starts) for (const id of ids) deployment.start(id, side, true);
  deployment.settle();
  return deployment;
}

function passing(deployment: Deployment, leases: number): void {
  for (let i = 0; i < 4 * leases; i++) {
    deployment.dialAll();
    deployment.settle();
    deployment.pass(LEASE_MS / 4);
    deployment.settle();
  }
}

describe('candidacy: two configurations at once (one-configuration)', () => {
  test('rolling from five nodes to seven: the old ones go on, the new ones give way', () => {
    const deployment = running([OLD_FIVE, 'old']);
    expect(deployment.serving('old')).toEqual(OLD_FIVE);
    for (const id of ['n6', 'n7', 'n5', 'n4']) {
      deployment.start(id, 'new', false);
      passing(deployment, 3);
    }
    expect(deployment.standings()).toBe('n1 old serves, n2 old serves, n3 old serves, n6 new none, n7 new none, n5 new none, n4 new none');
    // And so on to the end: the last of the old ones leave no quorum, and the new one serves a lease later.
    deployment.start('n3', 'new', false);
    deployment.settle();
    expect(deployment.serving('old')).toEqual([]);
    deployment.pass(LEASE_MS - 1);
    deployment.settle();
    expect(deployment.serving('new')).toEqual([]);
    passing(deployment, 3);
    expect(deployment.serving('new').sort()).toEqual(['n3', 'n4', 'n5', 'n6', 'n7']);
  });

  test('a node of those that run restarts: it is let back in, for those that gave way have no claim', () => {
    const deployment = running([THREE, 'old']);
    for (const id of NEW_FOUR) deployment.start(id, 'new', false);
    passing(deployment, 3);
    deployment.start('n1', 'old', false);
    passing(deployment, 6);
    expect(deployment.serving('old').sort()).toEqual(THREE);
    expect(deployment.serving('new')).toEqual([]);
  });

  test.each<[string, [NodeId[], Side][]]>([
    ['the old one first', [[THREE, 'old'], [NEW_FOUR, 'new']]],
    ['the new one first', [[NEW_FOUR, 'new'], [THREE, 'old']]],
  ])('both start at once, each with a quorum, %s: neither serves until one is stopped', (_what, starts) => {
    const deployment = new Deployment();
    for (const [ids, side] of starts) for (const id of ids) deployment.start(id, side, false);
    passing(deployment, 6);
    expect([deployment.serving('old'), deployment.serving('new')]).toEqual([[], []]);
    for (const id of THREE) deployment.stop(id);
    passing(deployment, 3);
    expect(deployment.serving('new').sort()).toEqual(NEW_FOUR);
  });

  test.each<[string, Side]>([['old', 'old'], ['new', 'new']])('both start at once, and only the %s one has a quorum: it goes on', (_what, side) => {
    const deployment = new Deployment();
    for (const id of side === 'old' ? THREE : ['n1', 'n2']) deployment.start(id, 'old', false);
    for (const id of side === 'new' ? NEW_FOUR : ['n6', 'n7']) deployment.start(id, 'new', false);
    passing(deployment, 4);
    expect(deployment.serving(side).sort()).toEqual(side === 'old' ? THREE : NEW_FOUR);
  });

  test('whatever the order of dials, answers, writes, restarts, cuts and time: never do both lend votes', () => {
    const node = fc.integer({ min: 1, max: 4 });
    const steps = fc.oneof(
      { weight: 60, arbitrary: fc.record({ kind: fc.constant('happen' as const), choice: fc.nat(20) }) },
      { weight: 8, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: LEASE_MS }) }) },
      { weight: 8, arbitrary: fc.record({ kind: fc.constant('dial' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('start' as const), node, firstStart: fc.boolean() }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('stop' as const), node }) },
      // Between nodes of one file: rivals that cannot reach each other know nothing of each other.
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), inOld: fc.boolean() }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('heal' as const) }) },
    );
    let served = 0;
    holds(fc.property(fc.array(steps, { minLength: 100, maxLength: 400 }), (script) => {
      const deployment = new Deployment(PAIRS);
      const start = (number: number, firstStart: boolean): void => deployment.start(`n${number}`, number <= 2 ? 'old' : 'new', firstStart);
      for (const number of [1, 2, 3, 4]) start(number, number % 2 === 0);
      for (const step of script) {
        switch (step.kind) {
          case 'happen':
            deployment.happen(step.choice);
            break;
          case 'pass':
            deployment.pass(step.ms);
            break;
          case 'dial':
            deployment.dialAll();
            break;
          case 'start':
            start(step.node, step.firstStart);
            break;
          case 'stop':
            deployment.stop(`n${step.node}`);
            break;
          case 'cut':
            deployment.cut(step.inOld ? 'n1' : 'n3', step.inOld ? 'n2' : 'n4');
            break;
          case 'heal':
            deployment.heal();
        }
        served += deployment.serving('old').length + deployment.serving('new').length > 0 ? 1 : 0;
      }
    }), 500);
    expect(served).toBeGreaterThan(1_000); // It happens, so that it could happen twice at once.
  });
});
