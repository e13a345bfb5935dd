/**
 * Encodes and decodes the messages of a schema as it stands in the code: no code is made of it while the program runs, for that
 * takes longer than a short command has to say. A message is an object whose fields have their names in JavaScript (`waitMs`);
 * an enum is its word, or the number of a word that is not known; a 64-bit integer is a number, and is exact up to 2^53. Law:
 * what is absent reads as its default, the one member of a `oneof` that is there is named by the name of the `oneof`, what is
 * not known is passed over, and bytes that break the format throw. Source: protobuf.dev/programming-guides/encoding.
 */
import { FIXED64, LENGTH_DELIMITED, MessageReader, MessageWriter, VARINT } from './message-bytes';

/** As protobufjs writes it: a package, a message, an enum or a service. */
export interface Schema {
  readonly nested?: Readonly<Record<string, Schema>>;
  readonly fields?: Readonly<Record<string, FieldSchema>>;
  readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly methods?: Readonly<Record<string, MethodSchema>>;
}

export interface FieldSchema {
  readonly id: number;
  readonly type: string;
  /** `repeated`, or nothing. */
  readonly rule?: string;
  /** Of a `map`, whose values have the type. */
  readonly keyType?: string;
}

export interface MethodSchema {
  readonly requestType: string;
  readonly requestStream?: boolean;
  readonly responseType: string;
  readonly responseStream?: boolean;
}

type Message = Record<string, unknown>;

/** How a value is written and read. */
interface Kind {
  readonly wireType: number;
  /** What stands for a value that is not there. */
  readonly absent: unknown;
  readonly write: (writer: MessageWriter, value: never) => void;
  readonly read: (reader: MessageReader, within: number) => unknown;
}

const SCALARS: Readonly<Record<string, Kind>> = {
  bool: { wireType: VARINT, absent: false, write: (writer, value: boolean) => writer.varint(Number(value)), read: (reader) => reader.bool() },
  int32: { wireType: VARINT, absent: 0, write: (writer, value: number) => writer.varint(value | 0), read: (reader) => reader.int32() },
  uint32: { wireType: VARINT, absent: 0, write: (writer, value: number) => writer.varint(value >>> 0), read: (reader) => reader.uint32() },
  uint64: { wireType: VARINT, absent: 0, write: (writer, value: number) => writer.varint(Math.max(0, Math.floor(value))), read: (reader) => reader.uint64() },
  double: { wireType: FIXED64, absent: 0, write: (writer, value: number) => writer.double(value), read: (reader) => reader.double() },
  string: { wireType: LENGTH_DELIMITED, absent: '', write: (writer, value: string) => writer.text(value), read: (reader) => reader.text() },
  bytes: { wireType: LENGTH_DELIMITED, absent: Buffer.alloc(0), write: (writer, value: Uint8Array) => writer.block(value), read: (reader) => reader.block() },
};

function enumKind(values: Readonly<Record<string, number>>): Kind {
  const words = new Map(Object.entries(values).map(([word, number]) => [number, word]));
  return {
    wireType: VARINT,
    absent: words.get(0),
    write: (writer, value: string | number) => {
      const number = typeof value === 'number' ? value : values[value];
      if (number === undefined) throw new Error(`${value} is none of ${Object.keys(values).join(', ')}`);
      writer.varint(number);
    },
    read: (reader) => {
      const number = reader.int32();
      return words.get(number) ?? number;
    },
  };
}

interface Field {
  readonly name: string;
  /** The field's number and wire type, as they stand before it. */
  readonly tag: number;
  /** A fresh one for each message; undefined for what stays away. */
  readonly absent: () => unknown;
  readonly write: (writer: MessageWriter, value: never) => void;
  readonly read: (reader: MessageReader, within: number, message: Message, wireType: number) => void;
}

/** A message type, made of its schema when it is first used. */
class MessageType {
  private fieldList: readonly Field[] | undefined;
  private fieldById = new Map<number, Field>();

  /** @param kindOf what a name in the schema of the message stands for */
  constructor(
    private readonly schema: Schema,
    private readonly kindOf: (type: string) => Kind,
  ) {}

  readonly kind: Kind = {
    wireType: LENGTH_DELIMITED,
    absent: null,
    write: (writer, value: Message) => {
      const start = writer.begin();
      this.write(writer, value);
      writer.end(start);
    },
    read: (reader, within) => this.read(reader, reader.end(within)),
  };

  write(writer: MessageWriter, message: Message): void {
    for (const field of this.fields) {
      const value = message[field.name];
      if (value !== undefined && value !== null) field.write(writer, value as never);
    }
  }

  read(reader: MessageReader, end: number): Message {
    const message: Message = {};
    for (const { name, absent } of this.fields) {
      const value = absent();
      if (value !== undefined) message[name] = value;
    }
    while (reader.position < end) {
      const tag = reader.uint32();
      const field = this.fieldById.get(tag >>> 3);
      if (field === undefined) reader.skip(tag & 7);
      else field.read(reader, end, message, tag & 7);
    }
    if (reader.position > end) throw new Error('a field ends after its message');
    return message;
  }

  private get fields(): readonly Field[] {
    if (this.fieldList !== undefined) return this.fieldList;
    const { fields = {}, oneofs = {} } = this.schema;
    const oneofOf = new Map(Object.entries(oneofs).flatMap(([name, { oneof }]) => oneof.map((member) => [member, { name, members: oneof }] as const)));
    this.fieldList = Object.entries(fields).map(([name, field]) => {
      const kind = this.kindOf(field.type);
      if (field.keyType !== undefined) return mapField(name, field.id, this.kindOf(field.keyType), kind);
      if (field.rule === 'repeated') return repeatedField(name, field.id, kind);
      return singleField(name, field.id, kind, oneofOf.get(name));
    });
    this.fieldById = new Map(this.fieldList.map((field) => [field.tag >>> 3, field]));
    return this.fieldList;
  }
}

interface Oneof {
  readonly name: string;
  readonly members: readonly string[];
}

function singleField(name: string, id: number, kind: Kind, oneof: Oneof | undefined): Field {
  const { wireType, absent } = kind;
  const tag = (id << 3) | wireType;
  return {
    name, tag,
    absent: () => (oneof === undefined ? absent : undefined),
    write: (writer, value) => {
      // What reads as it would without need not be written; in a oneof that it is there says something.
      if (oneof === undefined && Object.is(value, absent)) return;
      writer.varint(tag);
      kind.write(writer, value);
    },
    read: (reader, within, message, readType) => {
      if (readType !== wireType) return reader.skip(readType);
      const value = kind.read(reader, within);
      if (oneof !== undefined) {
        for (const member of oneof.members) delete message[member];
        message[oneof.name] = name;
      }
      message[name] = value;
    },
  };
}

function repeatedField(name: string, id: number, kind: Kind): Field {
  const { wireType } = kind;
  const isPacked = wireType !== LENGTH_DELIMITED;
  const tag = (id << 3) | LENGTH_DELIMITED;
  return {
    name, tag,
    absent: () => [],
    write: (writer, values: never[]) => {
      if (!isPacked) {
        for (const value of values) {
          writer.varint(tag);
          kind.write(writer, value);
        }
      } else if (values.length > 0) {
        writer.varint(tag);
        const start = writer.begin();
        for (const value of values) kind.write(writer, value);
        writer.end(start);
      }
    },
    read: (reader, within, message, readType) => {
      const values = message[name] as unknown[];
      if (readType === wireType) values.push(kind.read(reader, within));
      else if (isPacked && readType === LENGTH_DELIMITED) {
        const end = reader.end(within);
        while (reader.position < end) values.push(kind.read(reader, end));
        if (reader.position > end) throw new Error('a number ends after its list');
      } else reader.skip(readType);
    },
  };
}

/** On the wire each entry is a message of a key and a value. */
function mapField(name: string, id: number, key: Kind, value: Kind): Field {
  const entry = new MessageType({ fields: { key: { type: 'key', id: 1 }, value: { type: 'value', id: 2 } } }, (type) => (type === 'key' ? key : value));
  const { tag, write } = repeatedField(name, id, entry.kind);
  return {
    name, tag,
    absent: () => ({}),
    write: (writer, values: Message) => write(writer, Object.entries(values).map(([each, of]) => ({ key: each, value: of })) as never),
    read: (reader, within, message, readType) => {
      if (readType !== LENGTH_DELIMITED) return reader.skip(readType);
      const read = entry.kind.read(reader, within) as { readonly key: string; readonly value: unknown };
      // Whatever the key: `__proto__` is one like any other.
      Object.defineProperty(message[name], read.key, { value: read.value, enumerable: true, configurable: true, writable: true });
    },
  };
}

export interface MessageCodec {
  readonly encode: (message: object) => Buffer;
  /** @throws Error for bytes that are no such message */
  readonly decode: (bytes: Buffer) => object;
}

/** One for all: encoding is over before anybody else begins. */
const writer = new MessageWriter();

/** All messages of a schema, by their full names. */
export class Codecs {
  private readonly kinds = new Map<string, Kind>();
  private readonly types = new Map<string, MessageType>();

  /** @param schema its fields have the names that they shall have in JavaScript */
  constructor(schema: Schema) {
    this.add(schema, '');
  }

  /** @param scope the full name of what `type` is named in */
  codecOf(type: string, scope: string): MessageCodec {
    const found = lookup(this.types, type, scope);
    return {
      encode: (message) => {
        writer.clear();
        found.write(writer, message as Message);
        return writer.take();
      },
      decode: (bytes) => found.read(new MessageReader(bytes), bytes.length),
    };
  }

  private add(schema: Schema, name: string): void {
    if (schema.values !== undefined) this.kinds.set(name, enumKind(schema.values));
    if (schema.fields !== undefined) {
      const type = new MessageType(schema, (each) => SCALARS[each] ?? lookup(this.kinds, each, name));
      this.types.set(name, type);
      this.kinds.set(name, type.kind);
    }
    for (const [each, inner] of Object.entries(schema.nested ?? {})) this.add(inner, name === '' ? each : `${name}.${each}`);
  }
}

/** As protobuf looks for a name: in its scope, then further and further out. */
function lookup<Found>(named: ReadonlyMap<string, Found>, name: string, scope: string): Found {
  for (let place = scope; ; place = place.slice(0, Math.max(0, place.lastIndexOf('.')))) {
    const found = named.get(place === '' ? name : `${place}.${name}`);
    if (found !== undefined) return found;
    if (place === '') throw new Error(`${scope} names ${name}, which the schema does not have`);
  }
}
