/** The codec of the client service against protobufjs, which reads the `.proto` files themselves. */
import { join } from 'node:path';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { loadSchema } from '../../src/client-protocol/load-schema';
import { Codecs } from '../../src/client-protocol/message-codec';
import type { MessageCodec } from '../../src/client-protocol/message-codec';
import { healthSchema, locksSchema, reflectionSchema } from '../../src/client-protocol/schemas';
import { holds } from '../support/holds';

const ROOT = join(__dirname, '../..');

const OPTIONS = { longs: Number, enums: String, defaults: true, arrays: true, objects: true, oneofs: true };

/** Any message of the type, as a caller writes it: what is absent may be left out. */
function messageOf(type: protobuf.Type): fc.Arbitrary<object> {
  type.root.resolveAll();
  const members = new Set(type.oneofsArray.flatMap(({ oneof }) => oneof));
  const plain = fc.record(Object.fromEntries(type.fieldsArray.filter(({ name }) => !members.has(name)).map((field) => [field.name, valueOf(field)])), { requiredKeys: [] });
  const oneofs = type.oneofsArray.map(({ fieldsArray }) => fc.oneof(fc.constant({}), ...fieldsArray.map((field) => valueOf(field).map((value) => ({ [field.name]: value })))));
  return fc.tuple(plain, ...oneofs).map((parts) => Object.assign({}, ...parts) as object);
}

function valueOf(field: protobuf.Field): fc.Arbitrary<unknown> {
  const one = singleOf(field);
  if (field.repeated) return fc.array(one, { maxLength: 3 });
  return field.map ? fc.dictionary(fc.string(), one, { maxKeys: 3 }) : one;
}

function singleOf({ type, resolvedType }: protobuf.Field): fc.Arbitrary<unknown> {
  if (resolvedType instanceof protobuf.Enum) return fc.oneof(fc.constantFrom(...Object.keys(resolvedType.values)), fc.integer({ min: 0, max: 100 }));
  if (resolvedType instanceof protobuf.Type) return messageOf(resolvedType);
  switch (type) {
    case 'bool':
      return fc.boolean();
    case 'int32':
      return fc.integer();
    case 'uint32':
      return fc.nat(2 ** 32 - 1);
    case 'uint64':
      return fc.oneof(fc.maxSafeNat(), fc.nat(300));
    case 'double':
      return fc.double({ noNaN: true });
    case 'string':
      return fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ minLength: 100, maxLength: 300 }));
    case 'bytes':
      return fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    default:
      throw new Error(`no values of ${type} are known here`);
  }
}

interface Case {
  readonly ours: MessageCodec;
  readonly theirs: MessageCodec;
  readonly type: protobuf.Type;
}

/** Each message that is a question or an answer; those within it come with it. */
const cases = ([
  [locksSchema, 'proto/maekawa/v1/locks.proto'],
  [healthSchema, 'node_modules/grpc-health-check/proto/health/v1/health.proto'],
  [reflectionSchema, 'node_modules/@grpc/reflection/build/proto/grpc/reflection/v1/reflection.proto'],
] as const).flatMap(([schema, path]) => {
  const root = protobuf.loadSync(join(ROOT, path));
  const byFile = protoLoader.loadSync(join(ROOT, path), OPTIONS);
  return Object.entries(loadSchema(schema)).flatMap(([service, methods]) => Object.entries(methods).flatMap(([name, method]): [string, Case][] => {
    const { requestType, responseType } = root.lookupService(service).methods[name] ?? { requestType: '', responseType: '' };
    const theirs = (byFile[service] as ServiceDefinition)[name] as MethodDefinition<object, object>;
    const scope = root.lookupService(service);
    return [
      [`${name}: ${requestType}`, {
        ours: { encode: method.requestSerialize, decode: method.requestDeserialize },
        theirs: { encode: theirs.requestSerialize, decode: theirs.requestDeserialize },
        type: scope.lookupType(requestType),
      }],
      [`${name}: ${responseType}`, {
        ours: { encode: method.responseSerialize, decode: method.responseDeserialize },
        theirs: { encode: theirs.responseSerialize, decode: theirs.responseDeserialize },
        type: scope.lookupType(responseType),
      }],
    ];
  }));
});

describe.each(cases)('%s', (_name, { ours, theirs, type }) => {
  const message = messageOf(type);

  test('what we write, protobufjs reads as what it writes itself', () => {
    holds(fc.property(message, (each) => {
      expect(theirs.decode(ours.encode(each))).toEqual(theirs.decode(theirs.encode(each)));
    }), 200);
  });

  test('what protobufjs writes, we read as it does', () => {
    holds(fc.property(message, (each) => {
      const bytes = theirs.encode(each);
      expect(ours.decode(bytes)).toEqual(theirs.decode(bytes));
    }), 200);
  });

  test('of any bytes we make a message or an error, and nothing else', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((each) => Buffer.from(each)),
      fc.tuple(message, fc.nat(), fc.nat(255)).map(([each, at, byte]) => {
        const written = theirs.encode(each);
        written[at % Math.max(1, written.length)] = byte;
        return written.subarray(0, at % 3 === 0 ? at % (written.length + 1) : written.length);
      }),
    );
    holds(fc.property(bytes, (each) => {
      let read: object;
      try {
        read = ours.decode(each);
      } catch (error) {
        expect(error).toHaveProperty('constructor', Error);
        return;
      }
      expect(ours.decode(ours.encode(read))).toEqual(read);
    }), 300);
  });
});

describe('bytes that protobufjs does not write', () => {
  const schema = {
    nested: {
      Inner: { fields: { n: { type: 'uint32', id: 1 } } },
      Outer: {
        oneofs: { kind: { oneof: ['left', 'right'] } },
        fields: {
          n: { type: 'uint32', id: 1 }, text: { type: 'string', id: 2 }, list: { rule: 'repeated', type: 'int32', id: 3 }, left: { type: 'Inner', id: 4 }, right: { type: 'Inner', id: 5 },
          map: { keyType: 'string', type: 'uint32', id: 6 },
        },
      },
    },
  };
  const { encode, decode } = new Codecs(schema).codecOf('Outer', '');
  const read = (...bytes: number[]): object => decode(Buffer.from(bytes));
  const empty = { n: 0, text: '', list: [], map: {} };

  test('nothing is a message of defaults', () => expect(read()).toEqual(empty));
  test('unknown fields of all kinds are passed over', () => {
    expect(read(0x78, 0x96, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 9, 9, 0x7d, 1, 2, 3, 4, 0x08, 7)).toEqual({ ...empty, n: 7 });
  });
  test('a known field of another wire type is an unknown one', () => expect(read(0x0a, 1, 65, 0x10, 3, 0x08, 7)).toEqual({ ...empty, n: 7 }));
  test('numbers are read packed and one by one', () => expect(read(0x18, 1, 0x1a, 2, 2, 3, 0x18, 4)).toEqual({ ...empty, list: [1, 2, 3, 4] }));
  test('of a oneof the last counts', () => expect(read(0x22, 2, 8, 1, 0x2a, 2, 8, 2)).toEqual({ ...empty, kind: 'right', right: { n: 2 } }));
  test('a varint of more than 32 bits is cut to the field', () => expect(read(0x08, 0x81, 0x80, 0x80, 0x80, 0x80, 0x01)).toEqual({ ...empty, n: 1 }));
  test('no key of a map is special', () => {
    const map = JSON.parse('{"__proto__":7,"a":1}') as object;
    expect(Object.entries((decode(encode({ map })) as { map: object }).map)).toEqual([['__proto__', 7], ['a', 1]]);
  });

  test.each([
    ['a varint without end', [0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], 'longer than 10 bytes'],
    ['a text that is cut off', [0x12, 5, 65], 'cut off'],
    ['a message that is cut off', [0x22, 5, 8], 'cut off'],
    ['a field that goes on after its message', [0x22, 1, 8, 7], 'ends after its message'],
    ['a list that ends within a number', [0x1a, 1, 0x80, 1], 'ends after'],
    ['a group', [0x0b], 'wire type 3'],
    ['a group with an unknown number', [0x7b, 0x7c], 'wire type 3'],
  ])('%s is refused', (_what, bytes, why) => expect(() => read(...bytes)).toThrow(why));

  test('what was begun and failed leaves nothing behind', () => {
    expect(() => encode({ n: 1, text: 'before', list: null, left: { n: 'no' }, map: { get a(): number { throw new Error('no such value'); } } })).toThrow('no such value');
    expect(decode(encode({ n: 3 }))).toEqual({ ...empty, n: 3 });
  });
});
