/** The recording with what can be worked out from it: the state at any row, what caused what, who waits for whom. */
import type { RequestId } from '../../../src/core';
import type { RecordedHold, RecordedMessage, Recording, Row, StateParts, StepRow } from '../recording';

/** What a filter can hide. */
export const CLASSES = ['request', 'grant', 'release', 'inquire', 'yield', 'callers', 'writes', 'timers', 'peers', 'faults'] as const;
export type RowClass = (typeof CLASSES)[number];

/** Someone waits for a vote. */
export interface Wait {
  readonly waiter: number;
  /** Whose vote it lacks. */
  readonly arbiter: number;
  /** Who has that vote; null when nobody does. */
  readonly holder: number | null;
  readonly why: string;
}

const NOTHING: StateParts = { grants: [], queue: [], requester: null };

interface Version {
  readonly row: number;
  readonly parts: StateParts;
}

export class Model {
  /** Per row the one that its node handled before, or -1. */
  private readonly previousOfNode: readonly number[];
  /** By node and timestamp: which of its node's requests it is. */
  private readonly requestNumbers: ReadonlyMap<string, number>;
  /** By node and lock: every state that it was ever in. */
  private readonly versions = new Map<string, Version[]>();

  constructor(readonly recording: Recording) {
    const last = recording.nodes.map(() => -1);
    this.previousOfNode = recording.rows.map((row, index) => {
      if (row.node === null) return -1;
      const previous = last[row.node] ?? -1;
      last[row.node] = index;
      return previous;
    });
    recording.rows.forEach((row, index) => this.follow(row, index));
    this.requestNumbers = numberRequests(recording);
  }

  /** `n1·3`: the third request of n1. Shorter than its timestamp, and the same all over the page. */
  requestName({ node, timestamp }: RequestId): string {
    return `${node}·${this.requestNumbers.get(`${node} ${timestamp}`) ?? '?'}`;
  }

  row(index: number): Row | undefined {
    return this.recording.rows[index];
  }

  nodeName(node: number): string {
    return this.recording.nodes[node] ?? `node ${node}`;
  }

  lockName(lock: number): string {
    return this.recording.locks[lock] ?? `lock ${lock}`;
  }

  message(index: number | undefined): RecordedMessage | undefined {
    return index === undefined ? undefined : this.recording.messages[index];
  }

  classOf(row: Row): RowClass {
    if (row.kind === 'note') return 'faults';
    if (row.kind === 'write') return 'writes';
    switch (row.event.kind) {
      case 'message':
        return this.message(row.event.message)?.message.kind ?? 'request';
      case 'acquire':
      case 'release':
        return 'callers';
      case 'wake':
      case 'ceilingReserved':
      case 'silence':
        return 'timers';
      case 'peerUp':
      case 'peerDown':
      case 'namesake':
        return 'peers';
      case 'start':
      case 'stop':
      case 'slept':
        return 'faults';
    }
  }

  /** The locks that a row is about; none for one that is about a node as a whole. */
  locksOf(row: Row): readonly number[] {
    if (row.kind === 'note') return [];
    if (row.kind === 'write') return [row.lock];
    if (row.event.lock !== undefined) return [row.event.lock];
    const sent = row.effects.map((effect) => this.message(effect.message)?.lock ?? effect.lock);
    return [...new Set([...sent, ...(row.changes ?? []).map((change) => change.lock)])].filter((lock) => lock !== undefined);
  }

  // --- state ------------------------------------------------------------------------------------

  private follow(row: Row, index: number): void {
    if (row.node === null || row.kind === 'write') return;
    const isNewLife = row.kind === 'note' ? row.about === 'death' : row.event.kind === 'start';
    if (isNewLife) this.recording.locks.forEach((_, lock) => this.addVersion(row.node ?? 0, lock, index, NOTHING));
    if (row.kind === 'note') return;
    for (const { lock, ...parts } of row.changes ?? []) {
      this.addVersion(row.node, lock, index, { ...this.stateAt(row.node, lock, index), ...parts });
    }
  }

  private addVersion(node: number, lock: number, row: number, parts: StateParts): void {
    const key = `${node} ${lock}`;
    const versions = this.versions.get(key) ?? [];
    versions.push({ row, parts });
    this.versions.set(key, versions);
  }

  /** What a node knew of a lock after this row. */
  stateAt(node: number, lock: number, row: number): StateParts {
    const versions = this.versions.get(`${node} ${lock}`) ?? [];
    let low = 0;
    let high = versions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((versions[middle]?.row ?? Infinity) <= row) low = middle + 1;
      else high = middle;
    }
    return versions[low - 1]?.parts ?? NOTHING;
  }

  isDown(node: number, row: number): boolean {
    return this.recording.faults.some((fault) => fault.kind === 'down' && fault.nodes.includes(node)
      && fault.from <= row && (fault.to === null || row < fault.to));
  }

  /** A node's own time at the last thing that it did up to this row. */
  nodeTimeAt(node: number, row: number): number {
    for (let index = row; index >= 0; index--) {
      const step = this.row(index);
      if (step?.kind === 'step' && step.node === node) return step.nowMs;
    }
    return 0;
  }

  /** Who is inside, whether its node lives or not. */
  holdsAt(lock: number, row: number): RecordedHold[] {
    return this.recording.holds.filter((hold) => hold.lock === lock && hold.from <= row && (hold.to === null || row < hold.to));
  }

  waitsAt(lock: number, row: number): Wait[] {
    return this.recording.nodes.flatMap((_, waiter) => {
      const { requester } = this.stateAt(waiter, lock, row);
      if (requester?.state !== 'waiting') return [];
      const missing = requester.asked.filter((arbiter) => !requester.granted.includes(arbiter));
      return missing.flatMap((id) => this.waitsFor(waiter, this.recording.nodes.indexOf(id), lock, row));
    });
  }

  private waitsFor(waiter: number, arbiter: number, lock: number, row: number): Wait[] {
    if (this.isDown(arbiter, row)) return [{ waiter, arbiter, holder: null, why: `${this.nodeName(arbiter)} is down` }];
    const { grants, queue } = this.stateAt(arbiter, lock, row);
    const name = this.nodeName(waiter);
    if (grants.some((grant) => grant.request.node === name)) return [{ waiter, arbiter, holder: null, why: 'the Grant has not arrived' }];
    if (grants.length === 0) {
      const isQueued = queue.some((each) => each.request.node === name);
      return [{ waiter, arbiter, holder: null, why: isQueued ? 'it lends no vote yet after its restart' : 'the Request has not arrived' }];
    }
    return grants.map((grant) => ({ waiter, arbiter, holder: this.recording.nodes.indexOf(grant.request.node), why: 'has its vote' }));
  }

  // --- causes -----------------------------------------------------------------------------------

  /** Every row that could have had a hand in this one: earlier ones of its node, senders of what they received, and so on. */
  pastOf(row: number): Set<number> {
    const past = new Set<number>();
    const open = [row];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      if (index < 0 || past.has(index)) continue;
      past.add(index);
      open.push(this.previousOfNode[index] ?? -1, this.senderOf(index));
    }
    return past;
  }

  /** The row that sent what this row received, or -1. */
  senderOf(row: number): number {
    const step = this.row(row);
    return step?.kind === 'step' ? (this.message(step.event.message)?.sentAt ?? -1) : -1;
  }

  /** The first row that received something that this row sent, or -1. */
  receiverOf(row: number): number {
    const receivers = this.sentBy(row).flatMap((message) => message.receivedAt);
    return receivers.length === 0 ? -1 : Math.min(...receivers);
  }

  sentBy(row: number): RecordedMessage[] {
    const step = this.row(row);
    if (step?.kind !== 'step') return [];
    return step.effects.flatMap((effect) => (effect.kind === 'send' ? (this.message(effect.message) ?? []) : []));
  }

  neighbour(row: number, by: 1 | -1): number {
    const node = this.row(row)?.node;
    for (let index = row + by; index >= 0 && index < this.recording.rows.length; index += by) {
      if (this.row(index)?.node === node) return index;
    }
    return row;
  }

  isIgnored(step: StepRow): string | null {
    return step.effects.find((effect) => effect.kind === 'ignored')?.reason ?? null;
  }
}

/** Whose request a message is about. */
export function requestOf({ message, from, to }: RecordedMessage, nodes: readonly string[]): RequestId {
  const isFromArbiter = message.kind === 'grant' || message.kind === 'inquire';
  return { timestamp: message.timestamp, node: nodes[isFromArbiter ? to : from] ?? '' };
}

/** A node's timestamps rise, so their order is that of its requests. */
function numberRequests({ rows, messages, nodes }: Recording): Map<string, number> {
  const timestamps = new Map<string, Set<number>>(nodes.map((id) => [id, new Set()]));
  const note = ({ node, timestamp }: RequestId): void => void timestamps.get(node)?.add(timestamp);
  for (const message of messages) note(requestOf(message, nodes));
  for (const row of rows) {
    if (row.kind !== 'step') continue;
    for (const { requester } of row.changes ?? []) if (requester !== undefined && requester !== null && requester.state !== 'idle') note(requester.request);
  }
  const numbers = new Map<string, number>();
  for (const [node, all] of timestamps) {
    [...all].sort((a, b) => a - b).forEach((timestamp, index) => numbers.set(`${node} ${timestamp}`, index + 1));
  }
  return numbers;
}
