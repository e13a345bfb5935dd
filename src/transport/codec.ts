/**
 * Frames: from bytes to the core's messages and back, by hand, with no object in between.
 * Law: what comes out of the decoder is valid in every respect that one frame alone can show; a frame
 * with any fault is refused whole, with a reason. The format is proto/maekawa/v1/peer.proto; a test
 * holds the two together.
 */
import type { Standing } from '../core/candidacy';
import { assertNever } from '../core/invariants';
import type { Claim, LamportTime, Message, MessageKind, Mode, NodeId } from '../core/messages';
import { claimOf, doesHold, doesSteal } from '../core/priority';
import { lockNameBytesMax, lockNameFault } from '../lock-name';
import { visible } from '../visible';
import { WireFault, WireReader, WireWriter } from './wire';

/** The version in a Hello. Raised by any change to the other messages. */
export const protocolVersion = 3;

/** The largest frame that is accepted, in bytes. A sender closes one at half of that, and no message is longer than the other half. */
export const frameBytesMax = 2 ** 17;

/** No Lamport time of a peer may be above: the rest of the safe integers is room for local ticks. */
export const lamportTimeMax: LamportTime = 2 ** 53 - 2 ** 40;

/** Node ids, cluster names, digests and reasons, in bytes. */
const textBytesMax = 1024;

/** Who speaks: the first frame of each direction. */
export interface Hello {
  readonly protocolVersion: number;
  readonly node: NodeId;
  /** Whom the sender believes it is talking to. */
  readonly peer: NodeId;
  readonly cluster: string;
  readonly digest: string;
  readonly clock: LamportTime;
  readonly incarnation: string;
  /** For how much longer the sender lends no vote. */
  readonly silentForMs: number;
  /** Which sets of nodes are quorums, as a digest. */
  readonly layout: string;
  /** The sender ran before: its data directory says so. */
  readonly remembers: boolean;
  /** It knows which clock values it has used: it has a memory, or has learned. */
  readonly knowsClock: boolean;
  /** In this life of the sender the receiver, or an earlier life of it, was connected. */
  readonly hasMet: boolean;
  readonly standing: Standing;
  readonly leaseMs: number;
  /** How often the sender has begun to lend its vote in this life. */
  readonly begins: number;
}

export type Frame =
  /** Checked for its form only; see handshake.ts. */
  | { readonly kind: 'hello'; readonly hello: Hello }
  /** None at all: a sign of life. */
  | { readonly kind: 'messages'; readonly messages: readonly Message[] }
  | { readonly kind: 'goodbye'; readonly reason: string }
  /** Not a frame, for this reason. Nothing of it may be used. */
  | { readonly kind: 'invalid'; readonly reason: string };

/** A sign of life. */
export const emptyFrame = Buffer.alloc(0);

// A tag is the field number << 3 with the wire type, 0: varint, 1: fixed64, 2: with its length first.
const enum FrameTag {
  hello = (1 << 3) | 2,
  message = (2 << 3) | 2,
  goodbye = (3 << 3) | 2,
}

const enum HelloTag {
  protocolVersion = (1 << 3) | 0,
  node = (2 << 3) | 2,
  peer = (3 << 3) | 2,
  cluster = (4 << 3) | 2,
  digest = (5 << 3) | 2,
  clock = (6 << 3) | 1,
  incarnation = (7 << 3) | 2,
  silentForMs = (8 << 3) | 0,
  layout = (9 << 3) | 2,
  remembers = (10 << 3) | 0,
  hasMet = (11 << 3) | 0,
  standing = (12 << 3) | 0,
  leaseMs = (13 << 3) | 0,
  knowsClock = (14 << 3) | 0,
  begins = (15 << 3) | 0,
}

/** As the wire numbers them. */
const standings: readonly Standing[] = ['none', 'wishes', 'serves'];

const enum KindTag {
  request = (1 << 3) | 2,
  grant = (2 << 3) | 2,
  release = (3 << 3) | 2,
  inquire = (4 << 3) | 2,
  yield = (5 << 3) | 2,
}

/** A field has the same number in every kind of message that has it. */
const enum Tag {
  lock = (1 << 3) | 2,
  clock = (2 << 3) | 1,
  timestamp = (3 << 3) | 1,
  grant = (4 << 3) | 1,
  sentAtMs = (5 << 3) | 1,
  mode = (6 << 3) | 0,
  keep = (7 << 3) | 0,
  heldGrant = (8 << 3) | 1,
  contended = (9 << 3) | 0,
  contenderTimestamp = (10 << 3) | 1,
  contenderNode = (11 << 3) | 2,
  /** The claim of a Request, or of the contender of an Inquire: whether it steals. */
  steals = (12 << 3) | 0,
  /** As `steals`: whether its caller is inside. */
  holds = (13 << 3) | 0,
  nextTimestamp = (14 << 3) | 1,
}

/** Which fields a kind may have, a bit for each field number. */
const fieldsOf = {
  request: bits(Tag.lock, Tag.clock, Tag.timestamp, Tag.sentAtMs, Tag.mode, Tag.keep, Tag.heldGrant, Tag.steals, Tag.holds),
  grant: bits(Tag.lock, Tag.clock, Tag.timestamp, Tag.grant, Tag.sentAtMs, Tag.contended, Tag.contenderTimestamp),
  release: bits(Tag.lock, Tag.clock, Tag.timestamp, Tag.nextTimestamp),
  inquire: bits(Tag.lock, Tag.clock, Tag.timestamp, Tag.grant, Tag.sentAtMs, Tag.contenderTimestamp, Tag.contenderNode, Tag.steals, Tag.holds),
  yield: bits(Tag.lock, Tag.clock, Tag.timestamp, Tag.grant),
} satisfies Record<MessageKind, number>;

/** Whether a field was there. */
function has(seen: number, tag: Tag): boolean {
  return (seen & (1 << (tag >> 3))) !== 0;
}

function bits(...tags: number[]): number {
  return tags.reduce((mask, tag) => mask | (1 << (tag >> 3)), 0);
}

/** Puts messages together into a frame. */
export class FrameBuilder {
  private readonly writer = new WireWriter();

  get byteLength(): number {
    return this.writer.byteLength;
  }

  add(message: Message): void {
    const { writer } = this;
    const fault = lockNameFault(message.lock);
    if (fault !== null) throw new RangeError(fault); // whoever lets a lock name in checks it
    // Three bytes at most for a UTF-16 unit; 128 hold the numbers, tags and lengths of any message.
    writer.reserve(128 + 3 * (message.lock.length + (message.kind === 'inquire' ? message.contender.request.node.length : 0)));
    const outer = writer.begin(FrameTag.message);
    const inner = writer.begin(kindTag(message));
    if (message.lock !== '') writer.text(Tag.lock, message.lock);
    writer.fixed64(Tag.clock, message.clock);
    writer.fixed64(Tag.timestamp, message.timestamp);
    switch (message.kind) {
      case 'request':
        writer.fixed64(Tag.sentAtMs, message.sentAtMs);
        writer.varint(Tag.mode, message.mode === 'exclusive' ? 1 : 2);
        if (message.keep) writer.varint(Tag.keep, 1);
        if (message.heldGrant !== null) writer.fixed64(Tag.heldGrant, message.heldGrant);
        this.addClaim(message.claim);
        break;
      case 'grant':
        writer.fixed64(Tag.grant, message.grant);
        writer.fixed64(Tag.sentAtMs, message.sentAtMs);
        if (message.contended) writer.varint(Tag.contended, 1);
        if (message.contenderTimestamp !== undefined) writer.fixed64(Tag.contenderTimestamp, message.contenderTimestamp);
        break;
      case 'release':
        if (message.nextTimestamp !== undefined) writer.fixed64(Tag.nextTimestamp, message.nextTimestamp);
        break;
      case 'inquire':
        writer.fixed64(Tag.grant, message.grant);
        writer.fixed64(Tag.sentAtMs, message.sentAtMs);
        writer.fixed64(Tag.contenderTimestamp, message.contender.request.timestamp);
        writer.text(Tag.contenderNode, message.contender.request.node);
        this.addClaim(message.contender.claim);
        break;
      case 'yield':
        writer.fixed64(Tag.grant, message.grant);
        break;
      default:
        assertNever(message);
    }
    writer.end(inner);
    writer.end(outer);
  }

  private addClaim(claim: Claim): void {
    if (doesSteal(claim)) this.writer.varint(Tag.steals, 1);
    if (doesHold(claim)) this.writer.varint(Tag.holds, 1);
  }

  /** The frame; the next one begins. */
  take(): Buffer {
    return this.writer.take();
  }
}

function kindTag(message: Message): KindTag {
  switch (message.kind) {
    case 'request':
      return KindTag.request;
    case 'grant':
      return KindTag.grant;
    case 'release':
      return KindTag.release;
    case 'inquire':
      return KindTag.inquire;
    case 'yield':
      return KindTag.yield;
  }
}

export function encodeHello(hello: Hello): Buffer {
  const { node, peer, cluster, digest, incarnation, layout } = hello;
  const writer = new WireWriter();
  writer.reserve(64 + 3 * (node + peer + cluster + digest + incarnation + layout).length);
  const start = writer.begin(FrameTag.hello);
  writer.varint(HelloTag.protocolVersion, hello.protocolVersion);
  writer.text(HelloTag.node, node);
  writer.text(HelloTag.peer, peer);
  writer.text(HelloTag.cluster, cluster);
  writer.text(HelloTag.digest, digest);
  writer.fixed64(HelloTag.clock, hello.clock);
  writer.text(HelloTag.incarnation, incarnation);
  writer.varint(HelloTag.silentForMs, hello.silentForMs);
  writer.text(HelloTag.layout, layout);
  if (hello.remembers) writer.varint(HelloTag.remembers, 1);
  if (hello.hasMet) writer.varint(HelloTag.hasMet, 1);
  writer.varint(HelloTag.standing, standings.indexOf(hello.standing));
  writer.varint(HelloTag.leaseMs, hello.leaseMs);
  if (hello.knowsClock) writer.varint(HelloTag.knowsClock, 1);
  if (hello.begins > 0) writer.varint(HelloTag.begins, hello.begins);
  writer.end(start);
  return writer.take();
}

export function encodeGoodbye(reason: string): Buffer {
  const text = reason.slice(0, textBytesMax / 3);
  const writer = new WireWriter();
  writer.reserve(8 + 3 * text.length);
  writer.text(FrameTag.goodbye, text);
  return writer.take();
}

export class FrameDecoder {
  private readonly reader = new WireReader();

  /** @param nodes the nodes of the configuration: nobody else can be a contender */
  constructor(private readonly nodes: ReadonlySet<NodeId>) {}

  /** Never throws, whatever the bytes are. */
  decode(bytes: Buffer): Frame {
    if (bytes.length > frameBytesMax) {
      return { kind: 'invalid', reason: `the frame has ${bytes.length} bytes; at most ${frameBytesMax} are allowed` };
    }
    try {
      this.reader.open(bytes);
      return this.frame(bytes.length);
    } catch (error) {
      if (error instanceof WireFault) return { kind: 'invalid', reason: error.message };
      throw error;
    }
  }

  private frame(end: number): Frame {
    const { reader } = this;
    const messages: Message[] = [];
    let other: Frame | null = null;
    let unknownTag: number | null = null;
    let parts = 0;
    while (reader.position < end) {
      const tag = reader.tag();
      switch (tag) {
        case FrameTag.message:
          messages.push(this.message());
          break;
        case FrameTag.hello:
          other = { kind: 'hello', hello: this.hello() };
          parts++;
          break;
        case FrameTag.goodbye:
          other = { kind: 'goodbye', reason: visible(reader.text('the goodbye', textBytesMax)) };
          parts++;
          break;
        default:
          unknownTag = tag;
          reader.skip(tag & 7);
      }
    }
    if (parts > 1 || (parts === 1 && messages.length > 0)) throw new WireFault('the frame holds more than one thing');
    // With a Hello it may be of a newer version, which is refused more readably elsewhere.
    if (unknownTag !== null && other?.kind !== 'hello') throw unexpected('the frame', unknownTag);
    return other ?? { kind: 'messages', messages };
  }

  /** One set of variables for all kinds: they share their fields, and one tight loop is the fastest. */
  private message(): Message {
    const { reader } = this;
    const end = reader.end();
    const kind = reader.tag();
    if (reader.end() !== end) throw new WireFault('a message does not hold exactly one kind');
    let seen = 0;
    let lock = '';
    let clock = 0;
    let timestamp = 0;
    let grant = 0;
    let sentAtMs = 0;
    let mode: Mode = 'exclusive';
    let keep = false;
    let heldGrant: LamportTime | null = null;
    let contended = false;
    let contenderTimestamp = 0;
    let nextTimestamp = 0;
    let contenderNode = '';
    let steals = false;
    let holds = false;
    while (reader.position < end) {
      const tag = reader.tag();
      switch (tag) {
        case Tag.lock:
          lock = reader.text('the lock name', lockNameBytesMax);
          break;
        case Tag.clock:
          clock = reader.fixed64();
          break;
        case Tag.timestamp:
          timestamp = reader.fixed64();
          break;
        case Tag.grant:
          grant = reader.fixed64();
          break;
        case Tag.sentAtMs:
          sentAtMs = reader.fixed64();
          break;
        case Tag.mode:
          mode = toMode(reader.varint());
          break;
        case Tag.keep:
          keep = toFlag('keep', reader.varint());
          break;
        case Tag.heldGrant:
          heldGrant = reader.fixed64();
          break;
        case Tag.contended:
          contended = toFlag('contended', reader.varint());
          break;
        case Tag.contenderTimestamp:
          contenderTimestamp = reader.fixed64();
          break;
        case Tag.nextTimestamp:
          nextTimestamp = reader.fixed64();
          break;
        case Tag.contenderNode:
          contenderNode = reader.text('the contender', textBytesMax);
          break;
        case Tag.steals:
          steals = toFlag('steals', reader.varint());
          break;
        case Tag.holds:
          holds = toFlag('holds', reader.varint());
          break;
        default:
          throw unexpected('a message', tag);
      }
      seen |= 1 << (tag >> 3);
    }
    if (reader.position !== end) throw new WireFault('a field reaches beyond its message');
    checkTime('clock', clock, lamportTimeMax);
    checkTime('timestamp', timestamp, clock);
    switch (kind) {
      case KindTag.request: {
        checkFields('request', seen);
        if (!has(seen, Tag.mode)) throw new WireFault('mode is missing');
        checkSentAt(sentAtMs);
        if (heldGrant !== null) checkTime('held grant', heldGrant, clock);
        return { kind: 'request', lock, clock, timestamp, mode, claim: claimOf(steals, holds), keep, sentAtMs, heldGrant };
      }
      case KindTag.grant:
        checkFields('grant', seen);
        checkTime('grant', grant, clock);
        checkSentAt(sentAtMs);
        if (!has(seen, Tag.contenderTimestamp)) return { kind: 'grant', lock, clock, timestamp, grant, sentAtMs, contended };
        checkTime('contender timestamp', contenderTimestamp, clock);
        return { kind: 'grant', lock, clock, timestamp, grant, sentAtMs, contended, contenderTimestamp };
      case KindTag.release:
        checkFields('release', seen);
        if (!has(seen, Tag.nextTimestamp)) return { kind: 'release', lock, clock, timestamp };
        checkTime('next timestamp', nextTimestamp, clock);
        return { kind: 'release', lock, clock, timestamp, nextTimestamp };
      case KindTag.inquire: {
        checkFields('inquire', seen);
        checkTime('grant', grant, clock);
        checkTime('contender timestamp', contenderTimestamp, clock);
        checkSentAt(sentAtMs);
        if (!this.nodes.has(contenderNode)) {
          throw new WireFault(`contender ${JSON.stringify(contenderNode)} is not a node of the configuration`);
        }
        const contender = { request: { timestamp: contenderTimestamp, node: contenderNode }, claim: claimOf(steals, holds) };
        return { kind: 'inquire', lock, clock, timestamp, grant, contender, sentAtMs };
      }
      case KindTag.yield:
        checkFields('yield', seen);
        checkTime('grant', grant, clock);
        return { kind: 'yield', lock, clock, timestamp, grant };
      default:
        throw unexpected('a message', kind);
    }
  }

  private hello(): Hello {
    const { reader } = this;
    const end = reader.end();
    const hello = {
      protocolVersion: 0, node: '', peer: '', cluster: '', digest: '', clock: 0, incarnation: '', silentForMs: 0,
      layout: '', remembers: false, hasMet: false, standing: 'none' as Standing, leaseMs: 0, knowsClock: false, begins: 0,
    };
    while (reader.position < end) {
      const tag = reader.tag();
      switch (tag) {
        case HelloTag.protocolVersion:
          hello.protocolVersion = reader.varint();
          break;
        case HelloTag.node:
          hello.node = reader.text('the node', textBytesMax);
          break;
        case HelloTag.peer:
          hello.peer = reader.text('the peer', textBytesMax);
          break;
        case HelloTag.cluster:
          hello.cluster = reader.text('the cluster', textBytesMax);
          break;
        case HelloTag.digest:
          hello.digest = reader.text('the digest', textBytesMax);
          break;
        case HelloTag.clock:
          hello.clock = reader.fixed64();
          break;
        case HelloTag.incarnation:
          hello.incarnation = reader.text('the incarnation', textBytesMax);
          break;
        case HelloTag.silentForMs:
          hello.silentForMs = reader.varint();
          break;
        case HelloTag.layout:
          hello.layout = reader.text('the layout', textBytesMax);
          break;
        case HelloTag.remembers:
          hello.remembers = reader.varint() > 0;
          break;
        case HelloTag.hasMet:
          hello.hasMet = reader.varint() > 0;
          break;
        case HelloTag.standing:
          // One that a later version added claims more than this one knows of.
          hello.standing = standings[reader.varint()] ?? 'serves';
          break;
        case HelloTag.knowsClock:
          hello.knowsClock = reader.varint() > 0;
          break;
        case HelloTag.begins:
          hello.begins = reader.varint();
          break;
        case HelloTag.leaseMs:
          hello.leaseMs = reader.varint();
          break;
        default:
          reader.skip(tag & 7);
      }
    }
    if (reader.position !== end) throw new WireFault('a field reaches beyond the hello');
    return hello;
  }
}

/** Why the Lamport time that a peer gave cannot be one; or null. */
export function lamportTimeFault(name: string, value: number): string | null {
  if (value < 1) return `${name} is missing or 0`;
  if (value > lamportTimeMax) return `${name} is above 2^53 - 2^40`;
  return null;
}

function checkTime(name: string, value: number, valueMax: LamportTime): void {
  if (value >= 1 && value <= valueMax) return;
  throw new WireFault(lamportTimeFault(name, value) ?? `${name} is above the clock of its sender`);
}

function checkSentAt(value: number): void {
  if (value > Number.MAX_SAFE_INTEGER) throw new WireFault('sent_at_ms is above 2^53 - 1');
}

function checkFields(kind: MessageKind, seen: number): void {
  const unexpectedBits = seen & ~fieldsOf[kind];
  if (unexpectedBits !== 0) throw new WireFault(`a ${kind} has no field ${31 - Math.clz32(unexpectedBits)}`);
}

function toMode(value: number): Mode {
  if (value === 1) return 'exclusive';
  if (value === 2) return 'shared';
  throw new WireFault(value === 0 ? 'mode is missing' : `mode ${value} is unknown`);
}

function toFlag(name: string, value: number): boolean {
  if (value > 1) throw new WireFault(`${name} is ${value}, neither 0 nor 1`);
  return value === 1;
}

function unexpected(where: string, tag: number): WireFault {
  return new WireFault(`${where} has an unknown field, number ${tag >>> 3} of wire type ${tag & 7}`);
}
