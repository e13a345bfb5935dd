/**
 * Puts a recording together while a run goes on, or from traces of real nodes. It is told each event with
 * its effects and what the node knows afterwards; it decides nothing and judges nothing.
 */
import type { CallerId, Effect, Event, LockName, LockView, Message, NodeId } from '../../src/core';
import type {
  NoteRow, RecordedEffect, RecordedEvent, RecordedFault, RecordedHold, RecordedMessage, RecordedViolation, Recording, Row, StateChange,
  StateParts, WriteRow,
} from './recording';
import { shiftClocks, shiftTimes, smallestClock } from './shift';

/** What can be asked of a node after an event. */
export interface NodeState {
  clock(): number;
  lockNames(): readonly LockName[];
  inspect(lock: LockName): LockView | null;
}

export interface RecorderParts {
  readonly nodes: readonly NodeId[];
  /** Further locks are added as they come up. */
  readonly locks?: readonly LockName[];
}

export type FoundViolation = Pick<RecordedViolation, 'check' | 'detail' | 'explanation'> & Partial<Pick<RecordedViolation, 'row'>>;

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type OpenHold = Mutable<RecordedHold> & { life: number; untilUs: number };
type OpenMessage = Mutable<RecordedMessage> & { receivedAt: number[]; dropped?: string[] };
type OpenFault = Mutable<RecordedFault> & { readonly untilUs: number };

const NOTHING: StateParts = { grants: [], queue: [], requester: null };

/** Of a node that knows more locks, as real ones may, only the lock of an event is looked at. */
const LOCKS_LOOKED_AT_MAX = 16;

export class Recorder {
  private readonly rows: Row[] = [];
  private readonly messages: OpenMessage[] = [];
  private readonly holds: OpenHold[] = [];
  private readonly faults: OpenFault[] = [];
  private readonly locks: LockName[];
  private readonly nodeIndex: ReadonlyMap<NodeId, number>;
  private readonly lives: number[];
  /** Per node: its own time when its life began. */
  private readonly bornAtMs: number[];
  /** Per node and lock: the parts last recorded, as text. */
  private readonly known: Map<number, Record<keyof StateParts, string>>[];

  constructor(private readonly parts: RecorderParts) {
    const { nodes, locks = [] } = parts;
    this.nodeIndex = new Map(nodes.map((id, index) => [id, index]));
    this.locks = [...locks];
    this.lives = nodes.map(() => 0);
    this.bornAtMs = nodes.map(() => 0);
    this.known = nodes.map(() => new Map<number, Record<keyof StateParts, string>>());
  }

  /** The row that the next event or note gets. */
  get nextRow(): number {
    return this.rows.length;
  }

  /**
   * One event and its effects. `received`: which message arrived, and `sent`: which messages the effects
   * of kind `send` are, in order; both as numbers that `addMessage` gave.
   */
  step(atUs: number, id: NodeId, event: Event, effects: readonly Effect[], state: NodeState, received: number | null, sent: readonly number[]): void {
    const node = this.nodeOf(id);
    const row = this.rows.length;
    if (event.kind === 'start') this.beginLife(atUs, node, event.nowMs);
    this.endHoldsBefore(atUs, row);
    this.endFaultsBefore(atUs, row);
    const changes = this.changesOf(node, event, state);
    const unsent = [...sent];
    this.rows.push({
      kind: 'step',
      atUs,
      node,
      nowMs: event.nowMs - (this.bornAtMs[node] ?? 0),
      clock: state.clock(),
      event: this.recordEvent(event, node, received),
      effects: effects.map((effect) => this.recordEffect(effect, node, effect.kind === 'send' ? unsent.shift() : undefined)),
      ...(changes.length === 0 ? {} : { changes }),
    });
    if (received !== null) this.messages[received]?.receivedAt.push(row);
    this.followHolds(atUs, node, row, event, effects);
  }

  /** A message that was sent, by the step that comes next unless told otherwise; returns its number. */
  addMessage(from: NodeId, to: NodeId, message: Message, sentAt = this.rows.length): number {
    this.messages.push({
      from: this.nodeOf(from),
      to: this.nodeOf(to),
      lock: this.lockOf(message.lock),
      sentAt,
      receivedAt: [],
      message: shiftTimes(message, this.bornAtMs[this.nodeOf(message.kind === 'grant' ? to : from)] ?? 0),
    });
    return this.messages.length - 1;
  }

  drop(message: number, reason: string): void {
    const dropped = this.messages[message];
    if (dropped !== undefined) (dropped.dropped ??= []).push(reason);
  }

  note(atUs: number, id: NodeId | null, about: NoteRow['about'], text: string): void {
    this.endHoldsBefore(atUs, this.rows.length);
    this.endFaultsBefore(atUs, this.rows.length);
    this.rows.push({ kind: 'note', atUs, node: id === null ? null : this.nodeOf(id), about, text });
  }

  write(atUs: number, id: NodeId, { lock, ...write }: Pick<WriteRow, 'caller' | 'token' | 'isAccepted'> & { readonly lock: LockName }): void {
    this.endHoldsBefore(atUs, this.rows.length);
    this.endFaultsBefore(atUs, this.rows.length);
    this.rows.push({ kind: 'write', atUs, node: this.nodeOf(id), lock: this.lockOf(lock), ...write });
  }

  /** The node is dead from the next row on. Whoever is inside may stay until its lease ends. */
  die(id: NodeId): void {
    const node = this.nodeOf(id);
    const row = this.rows.length;
    for (const hold of this.holds) if (hold.node === node && hold.to === null && hold.diedAt === undefined) hold.diedAt = row;
    this.known[node]?.clear();
    this.faults.push({ kind: 'down', text: `${id} is down`, nodes: [node], from: row, to: null, untilUs: Infinity });
  }

  /** A fault lasts from the next row on. */
  fault(kind: RecordedFault['kind'], text: string, nodes: readonly number[], untilUs: number): void {
    this.faults.push({ kind, text, nodes, from: this.rows.length, to: null, untilUs });
  }

  /** From the next row on nothing is the matter any more, except that dead nodes have yet to start. */
  healed(): void {
    for (const fault of this.faults) if (fault.kind !== 'down') fault.to ??= this.rows.length;
  }

  /** `violation`: at the last row, unless it names another. */
  finish(about: Pick<Recording, 'title' | 'subtitle' | 'leaseMs' | 'time' | 'allWell'>, violation: FoundViolation | null): Recording {
    this.lives.forEach((life, node) => (life === 0 ? this.addLateStart(node, null) : undefined));
    const holds = this.holds.map(({ node, lock, caller, mode, token, from, to, end, diedAt }): RecordedHold => ({
      node, lock, caller, mode, token, from, to, end, ...(diedAt === undefined ? {} : { diedAt }),
    }));
    const faults = this.faults.map(({ kind, text, nodes, from, to }): RecordedFault => ({ kind, text, nodes, from, to }));
    const origin = smallestClock([this.rows, this.messages]) - 1;
    const { rows, messages } = this;
    return {
      ...about,
      nodes: this.parts.nodes,
      locks: this.locks,
      ...shiftClocks({ rows, messages, holds }, origin),
      faults,
      violation: violation === null ? null : {
        row: Math.max(0, rows.length - 1),
        ...violation,
        detail: violation.detail.replace(/\d{14,}/g, (digits) => String(Number(digits) - origin)),
        holds: this.clashing(violation.check),
      },
    };
  }

  private nodeOf(id: NodeId): number {
    const index = this.nodeIndex.get(id);
    if (index === undefined) throw new RangeError(`no node ${id}`);
    return index;
  }

  private lockOf(name: LockName): number {
    const index = this.locks.indexOf(name);
    return index >= 0 ? index : this.locks.push(name) - 1;
  }

  private beginLife(atUs: number, node: number, nowMs: number): void {
    if (this.lives[node] === 0 && atUs > 0) this.addLateStart(node, this.rows.length);
    this.lives[node] = (this.lives[node] ?? 0) + 1;
    this.bornAtMs[node] = nowMs;
    this.known[node]?.clear();
    for (const fault of this.faults) if (fault.kind === 'down' && fault.nodes[0] === node) fault.to ??= this.rows.length;
  }

  private addLateStart(node: number, to: number | null): void {
    this.faults.push({ kind: 'down', text: `${this.parts.nodes[node]} has not started`, nodes: [node], from: 0, to, untilUs: Infinity });
  }

  private recordEvent(event: Event, node: number, received: number | null): RecordedEvent {
    switch (event.kind) {
      case 'start':
        return { kind: 'start', life: this.lives[node] ?? 1 };
      case 'acquire':
        return {
          kind: 'acquire', lock: this.lockOf(event.lock), mode: event.mode, caller: event.caller, ...(event.steals === true ? { steals: true } : {}),
          ...(event.remote === true ? { remote: true } : {}),
        };
      case 'release':
        return { kind: 'release', lock: this.lockOf(event.lock), caller: event.caller };
      case 'message':
        return { kind: 'message', lock: this.lockOf(event.message.lock), ...(received === null ? {} : { message: received }) };
      case 'peerUp':
        return {
          kind: 'peerUp', peer: this.nodeOf(event.peer), clock: event.clock,
          ...(event.silentForMs === undefined || event.silentForMs === 0 ? {} : { silentForMs: event.silentForMs }),
        };
      case 'peerDown':
        return { kind: 'peerDown', peer: this.nodeOf(event.peer) };
      case 'namesake':
        return { kind: 'namesake', peer: this.nodeOf(event.peer) };
      case 'ceilingReserved':
        return { kind: 'ceilingReserved', ceiling: event.ceiling };
      case 'slept':
        return { kind: 'slept', byMs: event.byMs };
      case 'silence':
        return { kind: 'silence', ...(event.untilMs === null ? {} : { untilMs: event.untilMs - (this.bornAtMs[node] ?? 0) }) };
      case 'wake':
      case 'stop':
        return { kind: event.kind };
    }
  }

  private recordEffect(effect: Effect, node: number, message: number | undefined): RecordedEffect {
    const bornAtMs = this.bornAtMs[node] ?? 0;
    switch (effect.kind) {
      case 'send':
        return message === undefined ? { kind: 'send' } : { kind: 'send', message };
      case 'ignored':
        return { kind: 'ignored', lock: this.lockOf(effect.message.lock), reason: effect.reason };
      case 'entered':
      case 'renewed':
      case 'wanted':
      case 'lost':
      case 'recalled':
        return { ...shiftTimes(effect, bornAtMs), lock: this.lockOf(effect.lock) };
      case 'wake':
        return shiftTimes(effect, bornAtMs);
      case 'reserveCeiling':
      case 'joined':
        return effect;
    }
  }

  // --- state ------------------------------------------------------------------------------------

  private changesOf(node: number, event: Event, state: NodeState): StateChange[] {
    const changes: StateChange[] = [];
    for (const lock of this.locksTouched(node, event, state)) {
      const change = this.changeOf(node, lock, state.inspect(this.locks[lock] ?? ''));
      if (change !== null) changes.push(change);
    }
    return changes;
  }

  /** An event about one lock changes no other, but for the first one after a silence, which lends on the votes of all. */
  private locksTouched(node: number, event: Event, state: NodeState): Iterable<number> {
    const isAboutOne = event.kind === 'message' || event.kind === 'acquire' || event.kind === 'release';
    if (isAboutOne && (this.known[node]?.size ?? 0) > LOCKS_LOOKED_AT_MAX) return [this.lockOf(event.kind === 'message' ? event.message.lock : event.lock)];
    return new Set([...(this.known[node]?.keys() ?? []), ...state.lockNames().map((name) => this.lockOf(name))]);
  }

  private changeOf(node: number, lock: number, view: LockView | null): StateChange | null {
    const known = this.known[node];
    const before = known?.get(lock) ?? asTexts(NOTHING);
    const { grants, queue, requester } = view ?? NOTHING;
    const parts: StateParts = shiftTimes({ grants, queue, requester }, this.bornAtMs[node] ?? 0);
    const after = asTexts(parts);
    if (view === null) known?.delete(lock);
    else known?.set(lock, after);
    const changed = PART_NAMES.filter((name) => before[name] !== after[name]);
    return changed.length === 0 ? null : { lock, ...Object.fromEntries(changed.map((name) => [name, parts[name]])) };
  }

  // --- holds and faults -------------------------------------------------------------------------

  private followHolds(atUs: number, node: number, row: number, event: Event, effects: readonly Effect[]): void {
    const untilUs = (validUntilMs: number): number => atUs + (validUntilMs - event.nowMs) * 1000;
    if (event.kind === 'release') this.endHold(node, event.caller, row, 'released');
    if (event.kind === 'stop') {
      for (const hold of this.openHolds(node)) if (event.inUse?.includes(this.locks[hold.lock] ?? '') !== true) this.end(hold, row, 'released');
    }
    for (const effect of effects) {
      if (effect.kind === 'lost') this.endHold(node, effect.caller, row, 'lost');
      if (effect.kind === 'renewed') {
        for (const hold of this.openHolds(node)) if (effect.callers.includes(hold.caller)) hold.untilUs = untilUs(effect.validUntilMs);
      }
      if (effect.kind === 'entered') {
        const { lock, caller, mode, token, validUntilMs } = effect;
        this.holds.push({
          node, lock: this.lockOf(lock), caller, mode, token, from: row, to: null, end: null,
          life: this.lives[node] ?? 0, untilUs: untilUs(validUntilMs),
        });
      }
    }
  }

  private openHolds(node: number): OpenHold[] {
    return this.holds.filter((hold) => hold.to === null && hold.node === node && hold.life === this.lives[node]);
  }

  private endHold(node: number, caller: CallerId, row: number, end: 'released' | 'lost'): void {
    for (const hold of this.openHolds(node)) if (hold.caller === caller) this.end(hold, row, end);
  }

  private end(hold: OpenHold, row: number, end: RecordedHold['end']): void {
    hold.to = row;
    hold.end = end;
  }

  /** Whoever is still inside when the node is dead stays until the lease ends. */
  private endHoldsBefore(atUs: number, row: number): void {
    for (const hold of this.holds) {
      if (hold.to === null && hold.diedAt !== undefined && hold.untilUs <= atUs) this.end(hold, row, 'outlived');
    }
  }

  private endFaultsBefore(atUs: number, row: number): void {
    for (const fault of this.faults) if (fault.to === null && fault.untilUs <= atUs) fault.to = row;
  }

  /** What the violation is about: of `exclusion` the holds that clash, else whoever is inside the lock that the last event was about. */
  private clashing(check: string): number[] {
    const entered = this.holds.at(-1);
    const last = this.rows.at(-1);
    const lock = check === 'exclusion' ? entered?.lock : last?.kind === 'step' ? last.event.lock : last?.kind === 'write' ? last.lock : undefined;
    return this.holds.flatMap((hold, index) => {
      if (hold.lock !== lock || hold.to !== null) return [];
      const isClash = check !== 'exclusion' || hold === entered || hold.mode === 'exclusive' || entered?.mode === 'exclusive';
      return isClash ? [index] : [];
    });
  }
}

const PART_NAMES = ['grants', 'queue', 'requester'] as const;

function asTexts({ grants, queue, requester }: StateParts): Record<keyof StateParts, string> {
  return { grants: JSON.stringify(grants), queue: JSON.stringify(queue), requester: JSON.stringify(requester) };
}
