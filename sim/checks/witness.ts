/**
 * What happens in a run, in the words in which it is told to those who watch: witnesses that judge, and accounts
 * that count. The world tells everything to all of them and knows none by name.
 * Law: whoever watches changes nothing; a witness that sees its property broken says so by throwing, and the run ends.
 */
import type { CallerId, Effect, Event, LockName, LockView, Message, NodeId, Token } from '../../src/core';
import type { CallerView, Hold } from './scene';

export type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>;
export type EventOf<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>;

/** What a node says that was done, and has no other word here. */
export type Performed = EffectOf<'ignored' | 'wake' | 'renewed' | 'reserveCeiling' | 'wanted'>;

/** A caller was let in. */
export interface Entry {
  readonly machine: number;
  readonly lock: number;
  readonly caller: CallerView;
  readonly hold: Hold;
  readonly validUntilMs: number;
  /** The highest token that the caller may take by itself; null: none but that of its hold. */
  readonly roomUntil: Token | null;
  /** Those to whom it may pass the lock on with these tokens. */
  readonly passTo: readonly CallerId[];
  /** What its node says of its request, once all else of this event has been decided. */
  readonly requester: LockView['requester'] | undefined;
  /** The event by which it was let in. */
  readonly cause: Event;
}

/** A hold was prolonged, or the caller was told less. */
export interface Renewal {
  readonly machine: number;
  readonly lock: number;
  readonly hold: Hold;
  readonly validUntilMs: number;
  /** When the hold ended before; null when the caller did not hear of it and goes by what it was told. */
  readonly endedAtUs: number | null;
  readonly requester: LockView['requester'] | undefined;
}

/** Somebody was let in by another one of its own client, whose hold goes on. */
export interface Passing {
  readonly machine: number;
  readonly lock: number;
  /** With the token of whoever was let in. */
  readonly hold: Hold;
  readonly requester: LockView['requester'] | undefined;
}

/** An effect is for somebody who is not there, or who is not as it says. Nothing came of it. */
export type Stray =
  | { readonly kind: 'send'; readonly to: NodeId }
  | { readonly kind: 'entered'; readonly caller: CallerId; readonly lock: LockName }
  | { readonly kind: 'renewed' | 'lost' | 'told in the wrong way'; readonly caller: CallerId };

/** An exclusive holder writes to the resource that the lock protects. */
export interface Write {
  readonly lock: number;
  readonly token: Token;
  readonly node: NodeId;
  readonly caller: CallerId;
  readonly hold: Hold;
}

/** What has no other word here. Each is a figure of the report, which says what it means. */
export type Incident =
  | 'steals' | 'kept' | 'calledIn' | 'mayPass' | 'passed' | 'cancels' | 'releasedTwice' | 'crashes' | 'stops' | 'wipes' | 'wipesNotCovered' | 'learned' | 'restedOnWallClock' | 'staleFiles' | 'corruptFiles' | 'restarts'
  | 'ceilingsDelayed' | 'ceilingsCutShort' | 'pauses' | 'sleeps' | 'jumps' | 'partitions' | 'messagesEchoed' | 'peerDowns' | 'lostForEver' | 'rivalsMet' | 'namesakesRefused' | 'layoutsRefused';

/** What a witness alone can count. */
export type Figure = 'overlaps' | 'readersTogether' | 'outlived' | 'notOwed' | 'clockJumps' | 'layoutChanges' | 'besideNamesakes';

/** Nodes and locks are numbers, as in the scene. All are told in the order of their list. */
export interface Witness {
  /** For the report. */
  readonly figures?: Readonly<Partial<Record<Figure, number>>>;

  /** The run begins. */
  began?(): void;
  /** A node is about to handle an event. */
  stepping?(machine: number, event: Event): void;
  /** It has, and all that it said was done. */
  stepped?(machine: number, event: Event): void;
  performed?(effect: Performed): void;
  strayed?(machine: number, stray: Stray): void;

  /** A message is about to be sent. */
  sending?(from: number, to: number, lock: number, message: Message): void;
  /** It is sent. `cause`: the event that the sender handles. */
  sent?(from: number, to: number, lock: number, message: Message, cause: Event): void;
  /** So many copies of a message are under way, sent by a node or once more by the network. None: it is lost. */
  departed?(lock: number, copies: number): void;
  /** A copy is there, or its receiver died. */
  arrived?(lock: number): void;
  /** That copy reached nobody: its receiver is down or cut off. */
  swallowed?(lock: number): void;
  /** A node is about to handle a message. */
  delivering?(from: number, to: number, lock: number, message: Message): void;
  delivered?(lock: number): void;
  /** A node told its clock to one that finds it up. */
  introduced?(machine: number, clock: number): void;

  /** A caller asks its node for a lock. */
  asked?(caller: CallerView, event: EventOf<'acquire'>): void;
  entered?(entry: Entry): void;
  renewed?(renewal: Renewal): void;
  /** A caller in another process passed the lock on: its hold goes on with a larger token. */
  passed?(passing: Passing): void;
  /** A lock was taken from a caller; undefined when it is leaving already. */
  lost?(machine: number, effect: EffectOf<'lost' | 'recalled'>, caller: CallerView | undefined): void;
  /** A hold ended before its time. `isDone`: its caller had it for as long as it wanted. */
  left?(lock: number, hold: Hold, isDone: boolean): void;
  /** A write reached the resource. */
  wrote?(write: Write, isAccepted: boolean): void;

  /** A node starts, for the first time or again. */
  started?(machine: number): void;
  /** A node that lost its memory takes part from now on. */
  joined?(machine: number, by: EffectOf<'joined'>['by']): void;
  /** A peer refuses this process, because it is connected to another one of its id; it has been told. */
  refused?(machine: number, by: number): void;
  /** A peer is connected to this process, and has been told. */
  accepted?(machine: number, by: number): void;
  /** The operator's act is written. `isComplete`: every node of the old layout had told its clock. */
  acted?(isComplete: boolean): void;
  /** A node dies in a moment, and with it all that it knows. */
  dying?(machine: number): void;
  /** All faults have ended. */
  healed?(): void;
  /** As it was asked for (`Scene.lookAt`). */
  looked?(): void;
  /** Nobody has asked for anything since then, and still something goes on. */
  unsettled?(sinceUs: number): void;
  /** A lease has passed since anything happened: the run is over. */
  settled?(): void;
  /** So many times; once, when left out. */
  happened?(incident: Incident, times?: number): void;
}

type Hook = Exclude<keyof Witness, 'figures'>;

/** Tells all who watch a run. */
export type Witnesses = { readonly [Name in Hook]-?: NonNullable<Witness[Name]> };

/** All these as one, told in this order. Whatever none of them cares for costs nothing. */
export function inTurn(all: readonly Witness[]): Witnesses {
  const tell = Object.fromEntries(HOOKS.map((hook) => [hook, [] as Tell[]])) as Record<Hook, Tell[]>;
  for (const witness of all) for (const hook of hooksOf(witness)) tell[hook].push((witness[hook] as Tell).bind(witness));
  return Object.fromEntries(HOOKS.map((hook) => [hook, oneByOne(tell[hook])])) as unknown as Witnesses;
}

/** Any hook; those with fewer arguments ignore the rest. */
type Tell = (...args: readonly [a?: unknown, b?: unknown, c?: unknown, d?: unknown, e?: unknown]) => void;

/** Written out, for it is called several times for each event of a run. */
function oneByOne([first, second, third, ...others]: readonly Tell[]): Tell {
  if (first === undefined) return () => undefined;
  if (second === undefined) return first;
  if (third === undefined) {
    return (a, b, c, d, e) => {
      first(a, b, c, d, e);
      second(a, b, c, d, e);
    };
  }
  const rest = oneByOne(others);
  return (a, b, c, d, e) => {
    first(a, b, c, d, e);
    second(a, b, c, d, e);
    third(a, b, c, d, e);
    rest(a, b, c, d, e);
  };
}

const HOOKS = Object.keys({
  began: 1, stepping: 1, stepped: 1, performed: 1, strayed: 1, sending: 1, sent: 1, departed: 1, arrived: 1, swallowed: 1, delivering: 1,
  delivered: 1, introduced: 1, asked: 1, entered: 1, renewed: 1, passed: 1, lost: 1, left: 1, wrote: 1, started: 1, joined: 1, refused: 1, accepted: 1, acted: 1, dying: 1, healed: 1, looked: 1,
  unsettled: 1, settled: 1, happened: 1,
} satisfies Record<Hook, 1>) as Hook[];

/** By class: every run has witnesses of the same few. */
const known = new Map<unknown, readonly Hook[]>();

/** What this witness cares for. */
function hooksOf(witness: Witness): readonly Hook[] {
  const isPlain = Object.getPrototypeOf(witness) === Object.prototype;
  let hooks = isPlain ? undefined : known.get(witness.constructor);
  if (hooks === undefined) {
    hooks = HOOKS.filter((hook) => witness[hook] !== undefined);
    if (!isPlain) known.set(witness.constructor, hooks);
  }
  return hooks;
}
