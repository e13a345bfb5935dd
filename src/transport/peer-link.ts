/**
 * The connection to one peer: dialled by us or by them, lost, dialled again. Law: one stream is in use
 * at a time. Where both dial at once, the stream dialled by the smaller node id is used; any other
 * that comes is kept waiting, and taken when that one ends.
 */
import { status } from '@grpc/grpc-js';
import { assertNever } from '../core/invariants';
import type { LamportTime, Message, NodeId } from '../core/messages';
import type { Logger } from '../log';
import { emptyFrame, type FrameDecoder, type Hello } from './codec';
import { clockRefusal, helloRefusal, isLasting, isRival, type Identity, type Refusal } from './handshake';
import { Outbox } from './outbox';
import type { PeerStream } from './peer-stream';
import type { TransportHandlers } from './transport';

/** All that has to do with time, so that tests need not wait. */
export interface LinkTiming {
  /** Life is checked that often. Only ticks count, so that a stall of our own loop is not blamed on a peer. */
  readonly tickMs: number;
  /** Nothing sent for that many ticks: send a sign of life. */
  readonly quietTicksMax: number;
  /** Nothing heard for that many ticks: the peer is dead, frozen or cut off. */
  readonly silentTicksMax: number;
  /** Wait that long before dialling again, doubling from the minimum to the maximum, less a random half. */
  readonly redialMsMin: number;
  readonly redialMsMax: number;
  /** Wait that long after a refusal that will not change by itself. */
  readonly refusedRedialMs: number;
  /** Wait that long before dialling a node of another configuration again: others may wait for what it says. */
  readonly rivalRedialMs: number;
}

export const linkTiming: LinkTiming = {
  tickMs: 250,
  quietTicksMax: 2,
  silentTicksMax: 7,
  redialMsMin: 50,
  redialMsMax: 2_000,
  refusedRedialMs: 10_000,
  rivalRedialMs: 500,
};

/** What the links of one transport share. */
export interface LinkContext {
  readonly identity: Identity;
  readonly handlers: TransportHandlers;
  readonly decoder: FrameDecoder;
  readonly timing: LinkTiming;
  readonly random: () => number;
  dial(peer: NodeId): PeerStream;
  /** The first frame of this node. */
  helloTo(peer: NodeId, hasMet: boolean): Buffer;
  /** Call `flush` of this link at the end of this turn of the event loop. */
  flushSoon(link: PeerLink): void;
}

type LinkState =
  | { readonly state: 'down'; readonly redial: NodeJS.Timeout }
  | { readonly state: 'dialling'; readonly stream: PeerStream; ticks: number }
  | { readonly state: 'up'; readonly stream: PeerStream; readonly incarnation: string; silentTicks: number; quietTicks: number }
  /** This node can say nothing, so it must not look alive: it neither dials nor accepts. */
  | { readonly state: 'mute' }
  /** Not started yet, or stopped for good. */
  | { readonly state: 'stopped' };

/** More than one, so that the line is never idle; few, so that what waits is put into large frames. */
const framesInFlightMax = 4;

/**
 * So many messages of a peer are handled in one turn of the event loop. A frame may hold some 4,000, and what one of them costs the
 * sender chooses: timers, other peers and clients must have their turn.
 */
const messagesPerTurnMax = 256;

export class PeerLink {
  private link: LinkState = { state: 'stopped' };
  /** A stream that the peer dialled while another is in use or goes first. */
  private waiting: { readonly stream: PeerStream; readonly hello: Hello } | null = null;
  private readonly outbox = new Outbox();
  private failedDials = 0;
  /** Ticks since a stream that the peer dialled was taken. */
  private acceptedTicks = Infinity;
  /** The peer is connected, or was in this life. */
  private hasMet = false;
  private reasonDown: string | null = 'not connected yet';
  private reasonLogged: string | null = null;
  private dropped = 0;
  private droppedInEpisode = 0;
  isFlushDue = false;

  constructor(
    readonly peer: NodeId,
    private readonly context: LinkContext,
    private readonly log: Logger,
  ) {}

  /** Why the peer is down, or null when it is up. */
  get downReason(): string | null {
    return this.reasonDown;
  }

  /** Messages dropped because the peer reads too slowly. */
  get droppedMessages(): number {
    return this.dropped;
  }

  start(): void {
    this.dial();
  }

  send(message: Message): void {
    if (this.link.state !== 'up') return;
    if (!this.outbox.add(message)) {
      this.dropped++;
      if (this.droppedInEpisode++ === 0) this.log.warn('the peer reads too slowly, so messages to it are dropped');
    }
    this.context.flushSoon(this);
  }

  flush(): void {
    if (this.link.state !== 'up') return;
    const { stream } = this.link;
    while (stream.framesInFlight < framesInFlightMax) {
      const frame = this.outbox.next();
      if (frame === null) break;
      stream.write(frame);
      this.link.quietTicks = 0;
    }
    if (this.droppedInEpisode > 0 && this.outbox.byteLength === 0) {
      this.log.warn({ messages: this.droppedInEpisode }, 'the peer reads again; messages to it were dropped');
      this.droppedInEpisode = 0;
    }
  }

  /** Dial now what would be dialled later. */
  probe(): void {
    if (this.link.state !== 'down') return;
    clearTimeout(this.link.redial);
    this.dial();
  }

  /** What this node would say in a handshake has changed: the peer hears it in a new one. */
  greetAgain(reason: string): void {
    if (this.link.state !== 'up') return;
    this.link.stream.end(unavailable(reason));
    this.fail(unavailable(reason));
  }

  /** The peer dialled us, and its hello is in order. */
  offer(stream: PeerStream, hello: Hello): void {
    const { link } = this;
    switch (link.state) {
      case 'down':
        return this.comesTooOften ? this.keepWaiting(stream, hello) : this.accept(stream, hello);
      case 'dialling':
        if (this.context.identity.self < this.peer || this.comesTooOften) return this.keepWaiting(stream, hello);
        link.stream.cut(`${this.context.identity.self} uses the stream that ${this.peer} dialled`);
        return this.accept(stream, hello);
      case 'up':
        return this.keepWaiting(stream, hello);
      case 'mute':
        return stream.end(unavailable(this.context.handlers.muteReason() ?? 'it is mute'));
      case 'stopped':
        return stream.end(unavailable(`${this.context.identity.self} is shutting down`));
      default:
        assertNever(link);
    }
  }

  /** This node can say nothing: its peers must not wait for it. They hear why. */
  beMute(reason: string): void {
    const { link, waiting } = this;
    if (link.state === 'mute' || link.state === 'stopped') return;
    this.link = { state: 'mute' };
    this.waiting = null;
    this.outbox.clear();
    this.reasonDown = reason;
    waiting?.stream.end(unavailable(reason));
    if (link.state === 'down') clearTimeout(link.redial);
    if (link.state === 'dialling') link.stream.cut(reason);
    if (link.state !== 'up') return;
    link.stream.handlers = { frame: () => undefined, written: () => undefined, ended: () => undefined };
    link.stream.end(unavailable(reason));
    this.context.handlers.peerDown(this.peer, reason);
  }

  /** Every `tickMs`, while this node can speak. */
  tick(): void {
    if (this.link.state === 'mute') this.dial();
    this.acceptedTicks++;
    if (this.waiting !== null && this.link.state !== 'up') {
      const { stream, hello } = this.waiting;
      this.waiting = null;
      this.offer(stream, hello);
    }
    const { link, waiting } = this;
    const { timing } = this.context;
    if (link.state === 'dialling' && ++link.ticks >= timing.silentTicksMax) {
      link.stream.cut('no answer');
      this.fail({ code: status.DEADLINE_EXCEEDED, reason: 'does not answer' });
    } else if (link.state === 'up' && ++link.silentTicks >= timing.silentTicksMax) {
      const reason = `silent for ${(timing.silentTicksMax * timing.tickMs) / 1000} s`;
      link.stream.cut(`${this.peer} was ${reason}`);
      this.fail({ code: status.DEADLINE_EXCEEDED, reason });
    } else if (link.state === 'up') {
      if (++link.quietTicks >= timing.quietTicksMax && link.stream.framesInFlight === 0) {
        link.quietTicks = 0;
        link.stream.write(emptyFrame);
      }
      if (waiting !== null && waiting.hello.incarnation !== link.incarnation && link.silentTicks <= 1) {
        const reason = `another process is connected to ${this.context.identity.self} as ${this.peer}; ids must be unique`;
        this.waiting = null;
        waiting.stream.end({ code: status.ALREADY_EXISTS, reason });
        this.log.warn({ address: waiting.stream.remoteAddress }, 'refused a connection: another process with this id is connected. Stop one of the two');
      }
    }
  }

  /** Sends what waits, says goodbye, and is done for good. */
  async stop(): Promise<void> {
    const { link, waiting, outbox } = this;
    this.link = { state: 'stopped' };
    this.waiting = null;
    const reason = `${this.context.identity.self} is shutting down`;
    waiting?.stream.end(unavailable(reason));
    if (link.state === 'down') clearTimeout(link.redial);
    if (link.state === 'dialling') link.stream.cut(reason);
    if (link.state === 'up') {
      for (let frame = outbox.next(); frame !== null; frame = outbox.next()) link.stream.write(frame);
      link.stream.end({ code: status.OK, reason });
      await link.stream.closed;
    }
  }

  private dial(): void {
    this.context.handlers.rivals?.dialStarts(this.peer);
    const stream = this.context.dial(this.peer);
    this.link = { state: 'dialling', stream, ticks: 0 };
    stream.handlers = {
      frame: (bytes) => this.answered(stream, bytes),
      written: () => undefined,
      ended: (end) => this.fail(end),
    };
    stream.write(this.context.helloTo(this.peer, this.hasMet));
  }

  private answered(stream: PeerStream, bytes: Buffer): void {
    const { decoder, identity } = this.context;
    const frame = decoder.decode(bytes);
    switch (frame.kind) {
      case 'hello': {
        const { hello } = frame;
        const clockFault = this.clockRefusal(hello.clock);
        const refusal = helloRefusal(hello, identity, this.peer) ?? clockFault;
        if (refusal === null) return this.use(stream, hello);
        stream.end(refusal);
        this.fail(refusal, isRival(hello, identity, this.peer) ? hello : null);
        if (refusal === clockFault) this.context.handlers.clockRefused(this.peer, hello.clock);
        return;
      }
      case 'goodbye':
        stream.end(unavailable('goodbye'));
        return this.fail(unavailable(frame.reason));
      case 'messages':
        return this.refuse(stream, { code: status.INVALID_ARGUMENT, reason: 'the first frame is not a hello' });
      case 'invalid':
        return this.refuse(stream, { code: status.INVALID_ARGUMENT, reason: frame.reason });
      default:
        assertNever(frame);
    }
  }

  /** All that is open is repeated to a peer that comes, so one that comes and goes is taken once a tick. */
  private get comesTooOften(): boolean {
    return this.acceptedTicks === 0;
  }

  private accept(stream: PeerStream, hello: Hello): void {
    this.acceptedTicks = 0;
    if (this.link.state === 'down') clearTimeout(this.link.redial);
    stream.write(this.context.helloTo(this.peer, this.hasMet));
    this.use(stream, hello);
  }

  private use(stream: PeerStream, hello: Hello): void {
    this.link = { state: 'up', stream, incarnation: hello.incarnation, silentTicks: 0, quietTicks: 0 };
    this.failedDials = 0;
    this.reasonDown = null;
    this.reasonLogged = null;
    stream.handlers = {
      frame: (bytes) => this.received(stream, bytes),
      written: () => this.flush(),
      ended: (end) => this.fail(end),
    };
    this.log.info({ address: stream.remoteAddress }, 'connected');
    // One that met this node before the first time met another life of it.
    const knowsEarlierLife = hello.remembers || (hello.hasMet && !this.hasMet);
    this.hasMet = true;
    const { clock, silentForMs, knowsClock } = hello;
    this.context.handlers.peerUp(this.peer, { clock, silentForMs, knowsClock, knowsEarlierLife });
  }

  private received(stream: PeerStream, bytes: Buffer): void {
    if (this.link.state !== 'up') return;
    this.link.silentTicks = 0;
    const frame = this.context.decoder.decode(bytes);
    switch (frame.kind) {
      case 'messages': {
        const refusal = this.clockRefusal(highestClock(frame.messages));
        return refusal === null ? this.handle(stream, frame.messages, 0) : this.refuse(stream, refusal);
      }
      case 'goodbye':
        stream.end({ code: status.OK, reason: 'goodbye' });
        return this.fail(unavailable(frame.reason));
      case 'hello':
        return this.refuse(stream, { code: status.INVALID_ARGUMENT, reason: 'a second hello' });
      case 'invalid':
        return this.refuse(stream, { code: status.INVALID_ARGUMENT, reason: frame.reason });
      default:
        assertNever(frame);
    }
  }

  private clockRefusal(clock: LamportTime): Refusal | null {
    const { handlers, identity } = this.context;
    return clockRefusal(this.peer, clock, identity.self, handlers.clockMax());
  }

  /** In order, and with pauses. What the stream brings next waits for its turn. */
  private handle(stream: PeerStream, messages: readonly Message[], from: number): void {
    const to = Math.min(messages.length, from + messagesPerTurnMax);
    for (let place = from; place < to; place++) {
      const message = messages[place];
      // Handling one may have ended the stream, or the node.
      if (message === undefined || this.link.state !== 'up' || this.link.stream !== stream) return;
      this.context.handlers.message(this.peer, message);
    }
    if (to === messages.length) return from === 0 ? undefined : stream.resume();
    if (from === 0) stream.pause();
    setImmediate(() => {
      if (this.link.state !== 'up' || this.link.stream !== stream) return;
      // Whoever has sent what is handled now is alive, however long it takes.
      this.link.silentTicks = 0;
      this.handle(stream, messages, to);
    });
  }

  private keepWaiting(stream: PeerStream, hello: Hello): void {
    this.waiting?.stream.end({ code: status.ABORTED, reason: 'a later stream took the place of this one' });
    this.waiting = { stream, hello };
    stream.handlers = {
      frame: () => {
        this.waiting = null;
        stream.end({ code: status.INVALID_ARGUMENT, reason: 'a frame before the hello was answered' });
      },
      written: () => undefined,
      ended: () => (this.waiting = null),
    };
  }

  private refuse(stream: PeerStream, refusal: Refusal): void {
    stream.end(refusal);
    this.fail(refusal);
  }

  /** The stream in use or in the making is over; with the answer, if a node of another configuration gave it. */
  private fail({ code, reason }: Refusal, rival: Hello | null = null): void {
    const { link, waiting } = this;
    this.reasonDown = reason;
    this.outbox.clear();
    this.link = { state: 'down', redial: setTimeout(() => this.dial(), this.redialDelayMs(code, rival !== null)).unref() };
    const isNews = link.state === 'up' || reason !== this.reasonLogged;
    this.reasonLogged = reason;
    this.log[isNews ? 'warn' : 'debug']({ reason, code: status[code] }, link.state === 'up' ? 'connection lost' : 'not connected');
    this.waiting = null;
    if (link.state === 'up') this.context.handlers.peerDown(this.peer, reason);
    else this.context.handlers.stillDown?.(this.peer, reason);
    // Before the end of the dial is told: with that a node may begin to lend.
    if (code === status.ALREADY_EXISTS) this.context.handlers.namesake(this.peer);
    if (link.state === 'dialling') this.reportDial(rival);
    if (waiting !== null) this.offer(waiting.stream, waiting.hello);
  }

  private reportDial(rival: Hello | null): void {
    const { rivals } = this.context.handlers;
    if (rival === null) return rivals?.dialFailed(this.peer);
    const { standing, leaseMs, layout, incarnation: life, begins } = rival;
    rivals?.rivalAnswered(this.peer, { standing, leaseMs, layout, life, begins });
  }

  private redialDelayMs(code: status, isOfRival: boolean): number {
    const { timing, random } = this.context;
    const delayMs = isOfRival ? timing.rivalRedialMs
      : isLasting(code) ? timing.refusedRedialMs
      : Math.min(timing.redialMsMax, timing.redialMsMin * 2 ** this.failedDials++);
    return delayMs * (1 - random() / 2);
  }
}

function highestClock(messages: readonly Message[]): LamportTime {
  let highest = 0;
  for (const { clock } of messages) highest = Math.max(highest, clock);
  return highest;
}

function unavailable(reason: string): Refusal {
  return { code: status.UNAVAILABLE, reason };
}
