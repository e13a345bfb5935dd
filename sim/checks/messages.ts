/**
 * What can be told from messages alone. ceiling-holds: nothing is sent with a clock above the ceiling on disk.
 * grant-rises: an arbiter never uses a grant number twice, and they rise, across restarts. request-unique: no
 * request is named like an earlier one.
 * Must never look into the core.
 */
import { clockLockOf } from '../../src/core';
import type { Grant, LamportTime, Message, Release, Request } from '../../src/core';
import { violated } from './check';
import { clockOf } from './scene';
import type { Scene } from './scene';
import type { Witness } from './witness';

export class CeilingHolds implements Witness {
  /** How many lives each node has begun. */
  private readonly lives: number[];

  constructor(private readonly scene: Scene) {
    this.lives = scene.nodeIds.map(() => 0);
  }

  started(machine: number): void {
    this.lives[machine] = (this.lives[machine] ?? 0) + 1;
  }

  sending(from: number, _to: number, _lock: number, { clock, lock }: Message): void {
    const ceiling = this.ceilingOf(from);
    if (this.hasForgotten(from) && lock === clockLockOf(this.scene.nodeIds[from] ?? '')) return;
    if (clock > ceiling) violated('ceiling-holds', `${this.scene.nodeIds[from]} sent clock ${clock} with ceiling ${ceiling} on disk`);
  }

  introduced(machine: number, clock: number): void {
    const ceiling = this.ceilingOf(machine);
    if (!this.hasForgotten(machine) && clock > ceiling) violated('ceiling-holds', `${this.scene.nodeIds[machine]} shakes hands with clock ${clock}, ceiling ${ceiling}`);
  }

  /** In a later life with nothing on disk: what it says until it takes part allows nobody anything (protocol.md section 3.2). */
  private hasForgotten(machine: number): boolean {
    // Whoever starts with another file than the old one, or under an id that is in use, joins a cluster that runs.
    const place = this.scene.places[machine];
    const isFirstStart = this.lives[machine] === 1 && (place?.file ?? 'old') === 'old' && place?.isNamesake !== true;
    return !isFirstStart && this.ceilingOf(machine) === 0;
  }

  private ceilingOf(machine: number): number {
    return this.scene.places[machine]?.ceilingOnDisk ?? 0;
  }
}

export class GrantRises implements Witness {
  private readonly given: GrantsGiven[];

  /** @param losesHeldBack whether a node has so little room that a Grant may first be sent when it is repeated, after younger ones */
  constructor(private readonly scene: Scene, private readonly losesHeldBack = false) {
    this.given = scene.nodeIds.map((id) => new GrantsGiven(id));
  }

  started(machine: number): void {
    this.given[machine]?.beginLife();
  }

  /** What it gave before it lost its memory nobody can count on any more; but where its clock is above that, the numbers rise on. */
  joined(machine: number): void {
    if ((this.given[machine]?.highest ?? 0) >= clockOf(this.scene, machine)) this.given[machine] = new GrantsGiven(this.scene.nodeIds[machine] ?? '');
  }

  sending(from: number, _to: number, _lock: number, message: Message): void {
    if (message.kind === 'grant') this.given[from]?.check(message, this.losesHeldBack);
  }
}

export class RequestUnique implements Witness {
  private readonly named: RequestsNamed[];

  constructor(
    private readonly scene: Scene,
    /** So many nodes lose their memory that one may ask for clocks below what it asked for in an earlier life. */
    private readonly mayForgetClocks = false,
  ) {
    this.named = scene.nodeIds.map((id) => new RequestsNamed(id));
  }

  joined(machine: number): void {
    if ((this.named[machine]?.highest ?? 0) >= clockOf(this.scene, machine)) this.named[machine] = new RequestsNamed(this.scene.nodeIds[machine] ?? '');
  }

  sending(from: number, _to: number, lock: number, message: Message): void {
    if (message.kind !== 'request' && message.kind !== 'release') return;
    // That lock nobody else asks for, and it protects nothing.
    if (this.mayForgetClocks && message.lock === clockLockOf(this.scene.nodeIds[from] ?? '')) return;
    this.named[from]?.check(lock, message);
  }
}

/** The grants that one arbiter gave. */
class GrantsGiven {
  highest = 0;
  private highestBefore = 0;
  private readonly recent = new Recent<Grant>();

  constructor(private readonly arbiter: string) {}

  beginLife(): void {
    this.highestBefore = this.highest;
  }

  /** The same number again must be the same grant again; any other must be the highest so far, or at least higher than in earlier lives. */
  check(grant: Grant, mayComeLate: boolean): void {
    const { arbiter } = this;
    const known = this.recent.get(grant.grant);
    if (known !== undefined) {
      if (known.timestamp !== grant.timestamp || known.lock !== grant.lock) {
        violated('grant-rises', `${arbiter} gave number ${grant.grant} to (${known.lock}, ${known.timestamp}) and to (${grant.lock}, ${grant.timestamp})`);
      }
    } else if (grant.grant <= (mayComeLate ? this.highestBefore : this.highest)) {
      violated('grant-rises', `${arbiter} gave number ${grant.grant} after ${this.highest}`);
    } else {
      this.highest = Math.max(this.highest, grant.grant);
    }
    this.recent.set(grant.grant, grant);
  }
}

/** The requests that one node named. */
class RequestsNamed {
  highest = 0;
  private readonly recent = new Recent<number | 'over'>();

  constructor(private readonly node: string) {}

  /** A name belongs to one request for one lock, and to none once that is over. */
  check(lock: number, message: Request | Release): void {
    const { kind, timestamp } = message;
    const known = this.recent.get(timestamp);
    if (kind === 'request' && known !== undefined && known !== lock) {
      violated('request-unique', `${this.node} asks for lock ${message.lock} under timestamp ${timestamp} again`);
    }
    this.recent.set(timestamp, kind === 'request' ? lock : 'over');
    this.highest = Math.max(this.highest, timestamp);
  }
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
