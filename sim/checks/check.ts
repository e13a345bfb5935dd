/**
 * The invariants that no node can see alone (protocol.md section 10), checked against true time while
 * the run goes on, each in a few operations an event. They are told what happened; they never look into
 * the core, and nothing the core says about itself is believed except what a user would act on.
 */
import type { CallerId, Grant, LamportTime, Message, Mode, Release, Request, Token } from '../../src/core';
import type { MachineClock } from '../world/machine-clock';

export type Check =
  /** No two incompatible holders at one true time. */
  | 'exclusion'
  /** For each lock, a token exceeds those of all earlier entries that it must not overlap. */
  | 'token-rises'
  /** A hold's token is one that its arbiters will exceed, whatever becomes of the holder. */
  | 'token-covered'
  /** A hold is never valid for longer than arbiters that form a quorum wait, in true time. */
  | 'lease-inside'
  /** Grant numbers of one arbiter are never used twice and rise, across restarts. */
  | 'grant-rises'
  /** Nothing is sent with a clock above the ceiling on disk. */
  | 'ceiling-holds'
  /** A hold that ran out is told so at that moment, for which its node has asked to be woken, and never comes back. */
  | 'lost-at-once'
  /** Only callers that wait are let in; only callers inside lose or renew. */
  | 'callers-known'
  /** Every waiting request of a live node is granted within a bound. */
  | 'progress'
  /** With no request open, nothing is kept. */
  | 'no-residue'
  /** Without contention: 3(K-1) messages for a first entry, none for the next. */
  | 'frugal'
  /** Two runs of one seed are the same. */
  | 'deterministic'
  /** Nobody waits in a circle once all messages have arrived. */
  | 'deadlock'
  /** A request that its whole voting set knows is overtaken by few younger ones. */
  | 'fairness'
  /** A resource that looks at tokens accepts no write of a holder that was already followed. */
  | 'fenced'
  /** Nobody loses a lock that was not stolen: without faults never, and in `steadfast` runs not while a quorum lives. */
  | 'keeps'
  /** No request is named like an earlier one. */
  | 'request-unique';

export class CheckError extends Error {
  override readonly name = 'CheckError';

  constructor(readonly check: Check, detail: string) {
    super(detail);
  }
}

export function violated(check: Check, detail: string): never {
  throw new CheckError(check, detail);
}

/** Someone uses a lock. It counts until released, or until its holder's own clock says that it ran out. */
export interface Hold {
  readonly machine: number;
  /** The life of the node that it belongs to. It outlives that: a client need not die with its node. */
  readonly life: number;
  readonly caller: CallerId;
  readonly mode: Mode;
  readonly token: Token;
  /** When it runs out, by the clock of its machine that also runs while the machine sleeps. */
  endsAtUs: number;
}

/** A second generation starts when the first is so large; what was not set since is forgotten. */
const REMEMBERED = 20_000;

/** What was said of late, by Lamport time. */
class Recent<Item> {
  private newer = new Map<LamportTime, Item>();
  private older = new Map<LamportTime, Item>();

  get(time: LamportTime): Item | undefined {
    return this.newer.get(time) ?? this.older.get(time);
  }

  set(time: LamportTime, item: Item): void {
    if (this.newer.size >= REMEMBERED) {
      this.older = this.newer;
      this.newer = new Map<LamportTime, Item>();
    }
    this.newer.set(time, item);
  }
}

/** The grants that one arbiter gave. */
class GrantsGiven {
  private highest = 0;
  private readonly recent = new Recent<Grant>();

  /** The same number again must be the same grant again; any other must be the highest so far. */
  check(arbiter: string, grant: Grant): void {
    const known = this.recent.get(grant.grant);
    if (known !== undefined) {
      if (known.timestamp !== grant.timestamp || known.lock !== grant.lock) {
        violated('grant-rises', `${arbiter} gave number ${grant.grant} to (${known.lock}, ${known.timestamp}) and to (${grant.lock}, ${grant.timestamp})`);
      }
    } else if (grant.grant <= this.highest) {
      violated('grant-rises', `${arbiter} gave number ${grant.grant} after ${this.highest}`);
    } else {
      this.highest = grant.grant;
    }
    this.recent.set(grant.grant, grant);
  }
}

/** The requests that one node named. */
class RequestsNamed {
  private readonly recent = new Recent<number | 'over'>();

  /** A name belongs to one request for one lock, and to none once that is over. */
  check(node: string, lock: number, message: Request | Release): void {
    const { kind, timestamp } = message;
    const known = this.recent.get(timestamp);
    if (kind === 'request' && known !== undefined && known !== lock) {
      violated('request-unique', `${node} asks for lock ${message.lock} under timestamp ${timestamp} again`);
    }
    this.recent.set(timestamp, kind === 'request' ? lock : 'over');
  }
}

/** The highest tokens of one lock so far, and as they were at any earlier event. */
class HighestTokens {
  /** One for each event at which they rose. */
  private readonly events: number[] = [];
  private readonly exclusive: Token[] = [];
  private readonly any: Token[] = [];

  /** What a token of this mode must exceed: readers may have tokens in any order among themselves. */
  before(event: number, mode: Mode): Token {
    let place = this.events.length - 1;
    while (place >= 0 && (this.events[place] ?? 0) > event) place--;
    return (mode === 'exclusive' ? this.any : this.exclusive)[place] ?? 0;
  }

  add(event: number, { mode, token }: Hold): void {
    this.events.push(event);
    this.any.push(Math.max(token, this.any.at(-1) ?? 0));
    this.exclusive.push(mode === 'exclusive' ? Math.max(token, this.exclusive.at(-1) ?? 0) : this.exclusive.at(-1) ?? 0);
  }
}

/** What `frugal` knows of one lock. */
interface Bill {
  /** The request last opened for it. */
  timestamp: number;
  requests: number;
  grants: number;
  isPaid: boolean;
  releasesOwed: number;
  machine: number;
  heldUntilMs: number;
}

export class Checks {
  readonly holds: Hold[][];
  private readonly highest: HighestTokens[];
  /** Entries beside an incompatible holder, where that is no violation. */
  overlaps = 0;
  private readonly grantsGiven: GrantsGiven[];
  private readonly requestsNamed: RequestsNamed[];
  private readonly bills: Bill[] | null;

  constructor(
    private readonly nodes: readonly string[],
    private readonly lockNames: readonly string[],
    /** Per machine: its clock that counts what the machine slept. */
    private readonly aliveClocks: readonly MachineClock[],
    /** Per machine the size of its voting set when messages are to be counted, else null. */
    private readonly votingSetSizes: readonly number[] | null,
    /** Not when clocks are beyond the drift bound. */
    private readonly isExclusionPromised = true,
  ) {
    this.holds = lockNames.map(() => []);
    this.highest = lockNames.map(() => new HighestTokens());
    this.grantsGiven = nodes.map(() => new GrantsGiven());
    this.requestsNamed = nodes.map(() => new RequestsNamed());
    this.bills = votingSetSizes === null ? null : lockNames.map(() => ({
      timestamp: 0, requests: 0, grants: 0, isPaid: true, releasesOwed: 0, machine: -1, heldUntilMs: 0,
    }));
  }

  /** Whether a hold counts at this true time. */
  private isLive(hold: Hold, atUs: number): boolean {
    return this.clockOf(hold.machine).localUs(atUs) < hold.endsAtUs;
  }

  private clockOf(machine: number): MachineClock {
    const clock = this.aliveClocks[machine];
    if (clock === undefined) throw new RangeError(`no machine ${machine}`);
    return clock;
  }

  private holdsOf(lock: number): Hold[] {
    const holds = this.holds[lock];
    if (holds === undefined) throw new RangeError(`no lock ${lock}`);
    return holds;
  }

  /**
   * `event`: the number of the event at which it entered. `since`: the token must exceed those of all who
   * entered before that event; of all that entered at all, when left out.
   */
  entered(atUs: number, lock: number, hold: Hold, event: number, since = event): void {
    const holds = this.holdsOf(lock);
    for (let i = holds.length - 1; i >= 0; i--) {
      const other = holds[i];
      if (other === undefined || (other.mode === 'shared' && hold.mode === 'shared')) continue;
      if (!this.isLive(other, atUs)) holds.splice(i, 1);
      else if (!this.isExclusionPromised) this.overlaps++;
      else violated('exclusion', `${this.describe(lock, hold)} entered while ${this.describe(lock, other)} holds it`);
    }
    const highest = this.highest[lock];
    const floor = highest?.before(since, hold.mode) ?? 0;
    if (hold.token <= floor) {
      violated('token-rises', `${this.describe(lock, hold)} entered after token ${floor}`);
    }
    highest?.add(event, hold);
    holds.push(hold);
  }

  /** Whether a node other than `machine` holds the lock in shared mode. */
  isSharedWithAnotherNode(lock: number, machine: number, atUs: number): boolean {
    return this.holdsOf(lock).some((hold) => hold.mode === 'shared' && hold.machine !== machine && this.isLive(hold, atUs));
  }

  renewed(atUs: number, lock: number, hold: Hold, endsAtUs: number): void {
    if (!this.isLive(hold, atUs)) violated('lost-at-once', `${this.describe(lock, hold)} was renewed after it had run out`);
    hold.endsAtUs = endsAtUs;
  }

  /** The caller stopped using the lock. */
  left(lock: number, hold: Hold): void {
    const holds = this.holdsOf(lock);
    const place = holds.indexOf(hold);
    if (place >= 0) holds.splice(place, 1);
  }

  sent(from: number, lock: number, message: Message, ceilingOnDisk: number): void {
    if (message.clock > ceilingOnDisk) {
      violated('ceiling-holds', `${this.nodes[from]} sent clock ${message.clock} with ceiling ${ceilingOnDisk} on disk`);
    }
    const node = this.nodes[from] ?? '';
    if (message.kind === 'grant') this.grantsGiven[from]?.check(node, message);
    else if (message.kind === 'request' || message.kind === 'release') this.requestsNamed[from]?.check(node, lock, message);
  }

  // --- frugal: every message is on someone's bill -----------------------------------------------

  countSent(from: number, lock: number, message: Message): void {
    const bill = this.bills?.[lock];
    if (bill === undefined) return;
    switch (message.kind) {
      case 'request':
        if (message.timestamp !== bill.timestamp) {
          if (!bill.isPaid) violated('frugal', `lock ${this.lockNames[lock]}: a request was given up before it was granted`);
          bill.timestamp = message.timestamp;
          bill.requests = 0;
          bill.grants = 0;
          bill.isPaid = false;
          bill.releasesOwed += this.votingSetSize(from) - 1;
        }
        bill.requests++;
        return;
      case 'grant':
        bill.grants++;
        return;
      case 'release':
        bill.releasesOwed--;
        return;
      case 'inquire':
      case 'yield':
        return violated('frugal', `lock ${this.lockNames[lock]}: ${message.kind} without contention`);
    }
  }

  /**
   * `neededUntilMs`: how long retained grants must have lasted to be used again, in the node's time:
   * from when nothing but the caller stood between it and the lock.
   */
  countEntry(machine: number, lock: number, neededUntilMs: number, validUntilMs: number): void {
    const bill = this.bills?.[lock];
    if (bill === undefined) return;
    const name = this.lockNames[lock];
    if (!bill.isPaid) {
      if (bill.machine === machine && neededUntilMs < bill.heldUntilMs) {
        violated('frugal', `lock ${name}: its retained grants were not used`);
      }
      const peers = this.votingSetSize(machine) - 1;
      if (bill.requests !== peers || bill.grants !== peers) {
        violated('frugal', `lock ${name}: ${bill.requests} Requests and ${bill.grants} Grants for an entry, not ${peers} each`);
      }
      bill.isPaid = true;
    }
    bill.machine = machine;
    bill.heldUntilMs = validUntilMs;
  }

  countRenewal(lock: number, validUntilMs: number): void {
    const bill = this.bills?.[lock];
    if (bill !== undefined) bill.heldUntilMs = validUntilMs;
  }

  /** At the end: each request was closed by exactly one Release to each arbiter. */
  closeBills(): void {
    this.bills?.forEach((bill, lock) => {
      if (bill.releasesOwed !== 0) {
        violated('frugal', `lock ${this.lockNames[lock]}: ${bill.releasesOwed} Releases fewer than requests opened`);
      }
    });
  }

  votingSetSize(machine: number): number {
    return this.votingSetSizes?.[machine] ?? 0;
  }

  private describe(lock: number, hold: Hold): string {
    return `${this.nodes[hold.machine]} caller ${hold.caller} (lock ${this.lockNames[lock]}, ${hold.mode}, token ${hold.token})`;
  }
}
