/**
 * What happens in a run, in the words in which it is told to those who watch: witnesses that judge, and accounts
 * that count. The world tells everything to all of them and knows none by name.
 * Law: whoever watches changes nothing; a witness that sees its property broken says so by throwing, and the run ends.
 */
import type { CallerId, Effect, Event, LockName, LockView, Message, NodeId, Token } from '../../src/core';
import type { CallerView, Hold } from './scene';

export type EffectOf<Kind extends Effect['kind']> = Extract<Effect, { kind: Kind }>;
export type EventOf<Kind extends Event['kind']> = Extract<Event, { kind: Kind }>;

/** A caller was let in. */
export interface Entry {
  readonly machine: number;
  readonly lock: number;
  readonly caller: CallerView;
  readonly hold: Hold;
  readonly validUntilMs: number;
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
  | 'steals' | 'cancels' | 'releasedTwice' | 'crashes' | 'stops' | 'wipes' | 'wipesNotCovered' | 'staleFiles' | 'corruptFiles' | 'restarts'
  | 'ceilingsDelayed' | 'ceilingsCutShort' | 'pauses' | 'sleeps' | 'jumps' | 'partitions' | 'messagesEchoed' | 'peerDowns' | 'lostForEver';

/** What a witness alone can count. */
export type Figure = 'overlaps' | 'readersTogether' | 'outlived' | 'notOwed' | 'clockJumps';

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
  /** Something that it said was done, and has no other word here. */
  performed?(effect: EffectOf<'ignored' | 'wake' | 'renewed' | 'reserveCeiling'>): void;
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
  /** A lock was taken from a caller; undefined when it is leaving already. */
  lost?(machine: number, effect: EffectOf<'lost' | 'recalled'>, caller: CallerView | undefined): void;
  /** A hold ended before its time. `isDone`: its caller had it for as long as it wanted. */
  left?(lock: number, hold: Hold, isDone: boolean): void;
  /** A write reached the resource. */
  wrote?(write: Write, isAccepted: boolean): void;

  /** A node starts, for the first time or again. */
  started?(machine: number): void;
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
  happened?(incident: Incident, times: number): void;
}

type Hook = Exclude<keyof Witness, 'figures'>;
type Able<Name extends Hook> = Witness & Required<Pick<Witness, Name>>;

/** Those who watch one run. Who does not care for something costs nothing when it happens. */
export class Witnesses {
  private readonly able: { readonly [Name in Hook]: readonly Able<Name>[] };

  constructor(all: readonly Witness[]) {
    const able = <Name extends Hook>(name: Name): readonly Able<Name>[] => all.filter((each): each is Able<Name> => each[name] !== undefined);
    this.able = {
      began: able('began'), stepping: able('stepping'), stepped: able('stepped'), performed: able('performed'), strayed: able('strayed'),
      sending: able('sending'), sent: able('sent'), departed: able('departed'), arrived: able('arrived'), swallowed: able('swallowed'),
      delivering: able('delivering'), delivered: able('delivered'), introduced: able('introduced'),
      asked: able('asked'), entered: able('entered'), renewed: able('renewed'), lost: able('lost'), left: able('left'), wrote: able('wrote'),
      started: able('started'), dying: able('dying'), healed: able('healed'), looked: able('looked'),
      unsettled: able('unsettled'), settled: able('settled'), happened: able('happened'),
    };
  }

  began(): void {
    for (const each of this.able.began) each.began();
  }

  stepping(machine: number, event: Event): void {
    for (const each of this.able.stepping) each.stepping(machine, event);
  }

  stepped(machine: number, event: Event): void {
    for (const each of this.able.stepped) each.stepped(machine, event);
  }

  performed(effect: EffectOf<'ignored' | 'wake' | 'renewed' | 'reserveCeiling'>): void {
    for (const each of this.able.performed) each.performed(effect);
  }

  strayed(machine: number, stray: Stray): void {
    for (const each of this.able.strayed) each.strayed(machine, stray);
  }

  sending(from: number, to: number, lock: number, message: Message): void {
    for (const each of this.able.sending) each.sending(from, to, lock, message);
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    for (const each of this.able.sent) each.sent(from, to, lock, message, cause);
  }

  departed(lock: number, copies: number): void {
    for (const each of this.able.departed) each.departed(lock, copies);
  }

  arrived(lock: number): void {
    for (const each of this.able.arrived) each.arrived(lock);
  }

  swallowed(lock: number): void {
    for (const each of this.able.swallowed) each.swallowed(lock);
  }

  delivering(from: number, to: number, lock: number, message: Message): void {
    for (const each of this.able.delivering) each.delivering(from, to, lock, message);
  }

  delivered(lock: number): void {
    for (const each of this.able.delivered) each.delivered(lock);
  }

  introduced(machine: number, clock: number): void {
    for (const each of this.able.introduced) each.introduced(machine, clock);
  }

  asked(caller: CallerView, event: EventOf<'acquire'>): void {
    for (const each of this.able.asked) each.asked(caller, event);
  }

  entered(entry: Entry): void {
    for (const each of this.able.entered) each.entered(entry);
  }

  renewed(renewal: Renewal): void {
    for (const each of this.able.renewed) each.renewed(renewal);
  }

  lost(machine: number, effect: EffectOf<'lost' | 'recalled'>, caller: CallerView | undefined): void {
    for (const each of this.able.lost) each.lost(machine, effect, caller);
  }

  left(lock: number, hold: Hold, isDone: boolean): void {
    for (const each of this.able.left) each.left(lock, hold, isDone);
  }

  wrote(write: Write, isAccepted: boolean): void {
    for (const each of this.able.wrote) each.wrote(write, isAccepted);
  }

  started(machine: number): void {
    for (const each of this.able.started) each.started(machine);
  }

  dying(machine: number): void {
    for (const each of this.able.dying) each.dying(machine);
  }

  healed(): void {
    for (const each of this.able.healed) each.healed();
  }

  looked(): void {
    for (const each of this.able.looked) each.looked();
  }

  unsettled(sinceUs: number): void {
    for (const each of this.able.unsettled) each.unsettled(sinceUs);
  }

  settled(): void {
    for (const each of this.able.settled) each.settled();
  }

  happened(incident: Incident, times = 1): void {
    for (const each of this.able.happened) each.happened(incident, times);
  }
}
