/**
 * Who holds a lock alone, through whichever node: what a node tells those who observe an election. Every node is asked about once a
 * second, and what nodes tell of changes in between is taken at once. Law: one look for all who observe a name here, however many they
 * are, and none when nobody does; what it says is news, on which no vote and no lock depends.
 */
import type { NodeId } from '../core';
import type { Tell } from './latest';
import type { ManagerTime } from './managed-lock';
import type { Leader, LockChange, LockInfo } from './types';

/** How often the nodes are asked. A change of which no node tells by itself is found within this and the time of an answer. */
const ASK_MS = 1_000;

export interface LeaderWatchParts {
  readonly time: ManagerTime;
  readonly leaseMs: number;
  /** Who holds the lock through this node. */
  readonly holders: (name: string) => readonly LockInfo[];
  /** The same of the other nodes; null for one that does not answer. */
  readonly holdersAtPeers: (name: string) => Promise<ReadonlyMap<NodeId, readonly LockInfo[] | null>>;
  /** Be told of changes here and through nodes that answer, beginning with the present holders. Returns how to stop it. */
  readonly watch: (name: string, listener: (change: LockChange) => void) => () => void;
}

export class LeaderWatches {
  private readonly looks = new Map<string, LeaderWatch>();

  constructor(private readonly parts: LeaderWatchParts) {}

  follow(name: string, tell: Tell<Leader | null>): () => void {
    let look = this.looks.get(name);
    if (look === undefined) this.looks.set(name, (look = new LeaderWatch(name, this.parts)));
    const mine = look;
    mine.add(tell);
    return () => {
      if (!mine.remove(tell) || !mine.isUnused) return;
      mine.stop();
      if (this.looks.get(name) === mine) this.looks.delete(name);
    };
  }

  /** Nothing more is told. */
  end(reason: unknown): void {
    const looks = [...this.looks.values()];
    this.looks.clear();
    for (const look of looks) look.end(reason);
  }
}

class LeaderWatch {
  private readonly tells = new Set<Tell<Leader | null>>();
  /** Undefined: not known yet. */
  private leader: Leader | null | undefined;
  /** Of a leader of which its node told that it leads no more: a later answer may still name it. */
  private endedToken = 0;
  /** Until a leader whose node does not answer may lead. */
  private untilMs = 0;
  /** Changes of which a node told by itself. */
  private changes = 0;
  private isOver = false;
  private readonly stopWatching: () => void;
  private forget: (() => void) | undefined;

  constructor(
    private readonly name: string,
    private readonly parts: LeaderWatchParts,
  ) {
    this.stopWatching = parts.watch(name, (change) => this.onChange(change));
    void this.ask();
  }

  get isUnused(): boolean {
    return this.tells.size === 0;
  }

  add(tell: Tell<Leader | null>): void {
    this.tells.add(tell);
    if (this.leader !== undefined) tell.value(this.leader);
  }

  remove(tell: Tell<Leader | null>): boolean {
    return this.tells.delete(tell);
  }

  stop(): void {
    this.isOver = true;
    this.forget?.();
    this.stopWatching();
  }

  end(reason: unknown): void {
    this.stop();
    for (const tell of this.tells) tell.end(reason);
    this.tells.clear();
  }

  private onChange({ change, lock }: LockChange): void {
    if (this.isOver || !isLeader(lock, this.name)) return;
    this.changes++;
    if (change === 'held') {
      // The word of another node may be late.
      if (lock.token > Math.max(this.leader?.token ?? 0, this.endedToken)) this.set(leaderOf(lock));
      return;
    }
    this.endedToken = Math.max(this.endedToken, lock.token);
    if (this.leader?.token === lock.token) this.set(null);
  }

  private async ask(): Promise<void> {
    const { time, holders, holdersAtPeers } = this.parts;
    const askedMs = time.nowMs();
    const { changes } = this;
    const answers = await holdersAtPeers(this.name);
    if (this.isOver) return;
    // An answer from before a change knows less than what was told of that.
    if (changes === this.changes) {
      const told = [holders(this.name), ...answers.values()].flatMap((each) => each ?? []).filter((lock) => isLeader(lock, this.name));
      const newest = told.reduce<(LockInfo & { readonly token: number }) | null>((best, each) => (best === null || each.token > best.token ? each : best), null);
      const isSilent = (clientId: string): boolean => answers.get(nodeOf(clientId)) === null;
      if (newest !== null) {
        this.set(leaderOf(newest), askedMs);
      } else if (!(this.leader && isSilent(this.leader.clientId) && time.nowMs() < this.untilMs)) {
        this.set(null);
      }
    }
    this.forget = time.schedule(() => void this.ask(), this.leader === undefined ? 0 : ASK_MS);
  }

  /** @param knownMs when its node knew that it leads */
  private set(leader: Leader | null, knownMs = this.parts.time.nowMs()): void {
    if (leader !== null) this.untilMs = knownMs + this.parts.leaseMs;
    const isNews = this.leader === undefined || !isSameLeader(this.leader, leader);
    this.leader = leader;
    if (isNews) for (const tell of this.tells) tell.value(leader);
  }
}

function isLeader(lock: LockInfo, name: string): lock is LockInfo & { readonly token: number } {
  // A semaphore of the same name is another matter, and readers lead nobody.
  return lock.name === name && lock.mode === 'exclusive' && lock.token !== undefined;
}

function leaderOf({ clientId, label, token }: LockInfo & { readonly token: number }): Leader {
  return { clientId, ...(label === undefined ? {} : { label }), token };
}

/** By the token, which no two terms share. */
export function isSameLeader(a: Leader | null, b: Leader | null): boolean {
  return a?.token === b?.token;
}

/** `n1` of `n1/3`. */
function nodeOf(clientId: string): NodeId {
  return clientId.split('/', 1)[0] ?? clientId;
}
