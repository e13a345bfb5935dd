import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import type { Standing } from '../../src/core';
import type { Claim, Message } from '../../src/core/messages';
import { FrameBuilder, FrameDecoder, encodeGoodbye, encodeHello, frameBytesMax, lamportTimeMax } from '../../src/transport/codec';
import type { Frame, Hello } from '../../src/transport/codec';
import { holds } from '../support/holds';
import { NODES, lamportTime, message } from './messages';

const decoder = new FrameDecoder(new Set(NODES));
const builder = new FrameBuilder();

/** The wire as its own file describes it. */
const PeerFrame = protobuf.loadSync(join(__dirname, '../../proto/maekawa/v1/peer.proto')).lookupType('maekawa.v1.PeerFrame');

function encode(...messages: Message[]): Buffer {
  for (const each of messages) builder.add(each);
  return builder.take();
}

function encodeByProto(frame: object): Buffer {
  return Buffer.from(PeerFrame.encode(PeerFrame.fromObject(frame)).finish());
}

function decodeByProto(bytes: Buffer): unknown {
  return PeerFrame.toObject(PeerFrame.decode(bytes), { longs: Number, enums: String, bytes: Buffer });
}

function refusal(bytes: Buffer): string {
  const frame = decoder.decode(bytes);
  if (frame.kind !== 'invalid') throw new Error(`not refused but taken for ${JSON.stringify(frame)}`);
  return frame.reason;
}

/** What peer.proto says of a message; an independent second way to write it. */
function toProto(message: Message): object {
  const { kind, lock, mode, claim = 'waits', contender, contended, ...fields } = { mode: undefined, claim: undefined, contender: undefined, contended: undefined, ...message };
  const claims: Claim = contender?.claim ?? claim;
  return {
    [kind]: {
      ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null && value !== false)),
      ...(lock === '' ? {} : { lock: wtf8(lock) }),
      ...(mode === undefined ? {} : { mode: mode === 'exclusive' ? 'MODE_EXCLUSIVE' : 'MODE_SHARED' }),
      ...(contended === true ? { contended } : {}),
      ...(contender === undefined ? {} : { contenderTimestamp: contender.request.timestamp, contenderNode: contender.request.node }),
      ...(claims === 'steals' || claims === 'stole' ? { steals: true } : {}),
      ...(claims === 'holds' || claims === 'stole' ? { holds: true } : {}),
    },
  };
}

/** By the book: each code point as UTF-8 has it, a lone surrogate as if it were a character. */
function wtf8(text: string): Buffer {
  return Buffer.concat(
    [...text].map((character) => {
      const unit = character.charCodeAt(0);
      const isLone = character.length === 1 && unit >= 0xd800 && unit <= 0xdfff;
      return isLone ? Buffer.from([0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)]) : Buffer.from(character);
    }),
  );
}

describe('codec: what is written is what is read', () => {
  test('messages, in their order, for any lock name', () => {
    holds(
      fc.property(fc.array(message, { maxLength: 20 }), (messages) => {
        expect(decoder.decode(encode(...messages))).toEqual({ kind: 'messages', messages });
      }),
      500,
    );
  });

  test('as peer.proto says, to the byte count', () => {
    holds(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        const frame = { messages: messages.map(toProto) };
        const bytes = encode(...messages);
        expect(decodeByProto(bytes)).toEqual(messages.length === 0 ? {} : frame);
        expect(bytes).toHaveLength(encodeByProto(frame).length);
      }),
    );
  });

  test('from any other writer of peer.proto', () => {
    holds(
      fc.property(fc.array(message, { maxLength: 5 }), (messages) => {
        expect(decoder.decode(encodeByProto({ messages: messages.map(toProto) }))).toEqual({ kind: 'messages', messages });
      }),
    );
  });

  test('an empty frame is a sign of life', () => {
    expect(decoder.decode(Buffer.alloc(0))).toEqual({ kind: 'messages', messages: [] });
  });

  test('a builder begins anew after each frame, however large', () => {
    const large: Message = { kind: 'release', lock: 'x'.repeat(4096), clock: 2, timestamp: 1 };
    const many = Array.from({ length: 20 }, () => large);
    expect(decoder.decode(encode(...many))).toEqual({ kind: 'messages', messages: many });
    expect(decoder.decode(encode(large))).toEqual({ kind: 'messages', messages: [large] });
  });

  test('hellos', () => {
    const text = fc.string({ maxLength: 100 });
    const hello: fc.Arbitrary<Hello> = fc.record({
      protocolVersion: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      node: text,
      peer: text,
      cluster: text,
      digest: text,
      clock: lamportTime,
      incarnation: text,
      silentForMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      layout: text,
      remembers: fc.boolean(),
      hasMet: fc.boolean(),
      standing: fc.constantFrom<Standing[]>('none', 'wishes', 'serves'),
      leaseMs: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      begins: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      knowsClock: fc.boolean(),
    });
    holds(
      fc.property(hello, (hello) => {
        expect(decoder.decode(encodeHello(hello))).toEqual({ kind: 'hello', hello });
        const standing = `STANDING_${hello.standing.toUpperCase()}`;
        expect(decoder.decode(encodeByProto({ hello: { ...hello, standing } }))).toEqual({ kind: 'hello', hello });
      }),
    );
  });

  test('goodbyes, whose reason is cut where it would be too long', () => {
    expect(decoder.decode(encodeGoodbye('node n1 stops'))).toEqual({ kind: 'goodbye', reason: 'node n1 stops' });
    const frame = decoder.decode(encodeGoodbye('語'.repeat(10_000)));
    expect(frame).toMatchObject({ kind: 'goodbye', reason: expect.stringMatching(/^語{300,}$/) as string });
  });
});

describe('codec: nothing invalid comes through, and nothing makes it throw', () => {
  function check(frame: Frame): void {
    if (frame.kind === 'invalid') expect(frame.reason).not.toBe('');
    if (frame.kind !== 'messages') return;
    // Whatever was let in can be sent on: it is a message in every respect.
    expect(decoder.decode(encode(...frame.messages))).toEqual(frame);
    for (const { clock, timestamp } of frame.messages) {
      expect(clock).toBeLessThanOrEqual(lamportTimeMax);
      expect(timestamp).toBeLessThanOrEqual(clock);
      expect(timestamp).toBeGreaterThanOrEqual(1);
    }
  }

  test('random bytes', () => {
    holds(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => check(decoder.decode(Buffer.from(bytes)))), 3_000);
  });

  test('frames with bytes changed, cut out or put in', () => {
    const damage = fc.record({ at: fc.nat(), remove: fc.nat({ max: 3 }), insert: fc.uint8Array({ maxLength: 3 }) });
    holds(
      fc.property(fc.array(message, { minLength: 1, maxLength: 3 }), fc.array(damage, { minLength: 1, maxLength: 3 }), (messages, damages) => {
        let bytes = encode(...messages);
        for (const { at, remove, insert } of damages) {
          const start = at % bytes.length;
          bytes = Buffer.concat([bytes.subarray(0, start), insert, bytes.subarray(start + remove)]);
          if (bytes.length === 0) return;
        }
        check(decoder.decode(bytes));
      }),
      3_000,
    );
  });

  test('frames cut off anywhere', () => {
    holds(
      fc.property(message, (message) => {
        const bytes = encode(message);
        for (let length = 1; length < bytes.length; length++) expect(decoder.decode(bytes.subarray(0, length)).kind).toBe('invalid');
      }),
      50,
    );
  });

  const request = { clock: 9, timestamp: 5, sentAtMs: 1, mode: 'MODE_SHARED' };
  const grant = { clock: 9, timestamp: 5, grant: 6 };
  const inquire = { ...grant, contenderTimestamp: 3, contenderNode: 'n1' };
  const tooLarge = '9007199254740993';
  test.each<[string, object, RegExp]>([
    ['a request without a clock', { request: { ...request, clock: 0 } }, /clock is missing/],
    ['a request without a timestamp', { request: { ...request, timestamp: 0 } }, /timestamp is missing/],
    ['a timestamp above the clock', { request: { ...request, timestamp: 10 } }, /timestamp is above the clock of its sender/],
    ['a clock that would use up everybody’s', { release: { clock: lamportTimeMax + 1, timestamp: 1 } }, /clock is above 2\^53 - 2\^40/],
    ['an unsafe integer', { release: { clock: tooLarge, timestamp: 1 } }, /clock is above/],
    ['the largest 64 bits', { release: { clock: '18446744073709551615', timestamp: 1 } }, /clock is above/],
    ['an unsafe time of sending', { request: { ...request, sentAtMs: tooLarge } }, /sent_at_ms is above/],
    ['a request without a mode', { request: { clock: 9, timestamp: 5 } }, /mode is missing/],
    ['a mode that is none', { request: { ...request, mode: 'MODE_UNSPECIFIED' } }, /mode is missing/],
    ['a mode of the future', { request: { ...request, mode: 7 } }, /mode 7 is unknown/],
    ['a held grant above the clock', { request: { ...request, heldGrant: 10 } }, /held grant is above the clock/],
    ['a held grant of 0', { request: { ...request, heldGrant: 0 } }, /held grant is missing or 0/],
    ['a grant without its number', { grant: { ...grant, grant: 0 } }, /grant is missing/],
    ['a grant above the clock', { grant: { ...grant, grant: 10 } }, /grant is above the clock/],
    ['a yield without its number', { yield: { ...grant, grant: 0 } }, /grant is missing/],
    ['an inquire without its contender', { inquire: { ...inquire, contenderTimestamp: 0 } }, /contender timestamp is missing/],
    ['a contender above the clock', { inquire: { ...inquire, contenderTimestamp: 10 } }, /contender timestamp is above/],
    ['a contender that is no node', { inquire: { ...inquire, contenderNode: 'mallory' } }, /contender "mallory" is not a node/],
    ['a message of no kind', {}, /does not hold exactly one kind|cut off/],
  ])('%s', (_what, message, reason) => {
    expect(refusal(encodeByProto({ messages: [message] }))).toMatch(reason);
  });

  /** A field: number, wire type, and its bytes. */
  const field = (number: number, wireType: number, bytes: number[] | Buffer): Buffer =>
    Buffer.from([(number << 3) | wireType, ...(wireType === 2 ? [bytes.length] : []), ...bytes]);
  const time = (value: number): number[] => [value, 0, 0, 0, 0, 0, 0, 0];
  const release = Buffer.concat([field(2, 1, time(9)), field(3, 1, time(5))]);
  const framed = (...parts: Buffer[]): Buffer => field(2, 2, field(3, 2, Buffer.concat([release, ...parts])));

  test('(the frame that the next ones spoil is valid)', () => {
    expect(decoder.decode(framed())).toEqual({ kind: 'messages', messages: [{ kind: 'release', lock: '', clock: 9, timestamp: 5 }] });
  });

  test.each<[string, Buffer, RegExp]>([
    ['a field of the future in a message', framed(field(14, 0, [1])), /a message has an unknown field, number 14/],
    ['a field of another kind of message', framed(field(4, 1, time(1))), /a release has no field 4/],
    ['a known field of another type', framed(field(4, 0, [1])), /unknown field, number 4 of wire type 0/],
    ['a field of the future in a frame', field(9, 0, [1]), /the frame has an unknown field, number 9/],
    ['a kind of the future', field(2, 2, field(6, 2, release)), /a message has an unknown field, number 6/],
    ['two kinds in one message', field(2, 2, Buffer.concat([field(3, 2, release), field(3, 2, release)])), /exactly one kind/],
    ['a field that reaches beyond its message', Buffer.concat([field(2, 2, field(3, 2, [0x0a, 9])), Buffer.alloc(20)]), /beyond its message|cut off/],
    ['a flag that is neither', field(2, 2, field(1, 2, Buffer.concat([release, field(6, 0, [1]), field(7, 0, [2])]))), /keep is 2/],
    ['a number too large for its field', framed(field(6, 0, [0xff, 0xff, 0xff, 0xff, 0x1f])), /varint is above 2\^32/],
    ['a number without end', framed(field(6, 0, Array<number>(11).fill(0xff))), /varint is above 2\^32/],
    ['an overlong lock name', framed(field(1, 2, [0xc0, 0x80])), /lock name is not valid UTF-8/],
    ['a pair written as two halves', framed(field(1, 2, [0xed, 0xa0, 0xbd, 0xed, 0xb4, 0x92])), /lock name is not valid UTF-8/],
    ['a lock name beyond Unicode', framed(field(1, 2, [0xf4, 0x90, 0x80, 0x80])), /lock name is not valid UTF-8/],
    ['a lock name that is cut off', framed(field(1, 2, [0xe2, 0x82])), /lock name is not valid UTF-8/],
    ['a wire type that does not exist', field(5, 6, []), /wire type 6 does not exist/],
    ['the first frame of another protocol', Buffer.from('GET / HTTP/1.1\r\nHost: n1\r\n\r\n'), /./],
  ])('%s', (_what, bytes, reason) => {
    expect(refusal(bytes)).toMatch(reason);
  });

  test('a lock name one byte too long', () => {
    const message = (length: number): object => ({ release: { lock: Buffer.alloc(length, 'x'), clock: 9, timestamp: 5 } });
    expect(decoder.decode(encodeByProto({ messages: [message(4096)] })).kind).toBe('messages');
    expect(refusal(encodeByProto({ messages: [message(4097)] }))).toMatch(/the lock name is longer than 4096 bytes/);
  });

  test('a frame one byte too large', () => {
    expect(refusal(Buffer.alloc(frameBytesMax + 1))).toMatch(/131073 bytes; at most 131072/);
  });

  test.each<[string, object[]]>([
    ['two hellos', [{ hello: { node: 'n1' } }, { hello: { node: 'n1' } }]],
    ['a hello and a message', [{ hello: { node: 'n1' } }, { messages: [toProto({ kind: 'release', lock: '', clock: 9, timestamp: 5 })] }]],
    ['a hello and a goodbye', [{ hello: { node: 'n1' } }, { goodbye: 'x' }]],
  ])('%s in one frame', (_what, parts) => {
    expect(refusal(Buffer.concat(parts.map(encodeByProto)))).toMatch(/more than one thing/);
  });
});

describe('codec: a newer version can still be understood as far as its hello', () => {
  const hello: Hello = {
    protocolVersion: 3, node: 'n1', peer: 'n2', cluster: 'c', digest: 'd', clock: 7, incarnation: 'i', silentForMs: 0,
    layout: 'l', remembers: true, hasMet: true, standing: 'wishes', leaseMs: 5_000, begins: 3, knowsClock: true,
  };

  test('a standing of the future claims more than any that is known', () => {
    const bytes = encodeByProto({ hello: { node: 'n1' } });
    const grown = Buffer.concat([Buffer.from([bytes[0] ?? 0, bytes.length]), bytes.subarray(2), Buffer.from([(12 << 3) | 0, 7])]);
    expect(decoder.decode(grown)).toMatchObject({ kind: 'hello', hello: { standing: 'serves' } });
  });

  test('fields of the future in and beside a hello are ignored', () => {
    const bytes = encodeHello(hello);
    const future = Buffer.from([(100 << 3) & 0x7f | 0x80, (100 << 3) >> 7, 5, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 9, 9]);
    const inner = Buffer.concat([bytes.subarray(2), future]);
    const grown = Buffer.concat([Buffer.from([bytes[0] ?? 0, inner.length]), inner, future]);
    expect(decoder.decode(grown)).toEqual({ kind: 'hello', hello });
  });
});
