/**
 * Makes gRPC services of the schemas in `schemas.ts`. Law: it reads no file, so a program works that a bundler has made one
 * file of.
 */
import * as protoLoader from '@grpc/proto-loader';

/** As protobufjs writes it: a package, a message, an enum or a service. */
export interface Schema {
  readonly nested?: Readonly<Record<string, Schema>>;
  readonly fields?: Readonly<Record<string, object>>;
  readonly oneofs?: Readonly<Record<string, { readonly oneof: readonly string[] }>>;
  readonly values?: Readonly<Record<string, number>>;
  readonly methods?: Readonly<Record<string, object>>;
}

/** The services and messages of a schema, by their full names. The fields of messages are named as in JavaScript: `waitMs`. */
export function loadSchema(schema: Schema): protoLoader.PackageDefinition {
  return protoLoader.fromJSON(inCamelCase(schema), {
    longs: Number, // every 64-bit number of these services is a safe integer
    enums: String,
    defaults: true,
    arrays: true,
    objects: true,
    oneofs: true,
  });
}

/** A schema as reflection tells it to others. */
export interface Description {
  /** An encoded FileDescriptorProto, with fields named as in the `.proto` file. */
  readonly file: Buffer;
  readonly fileName: string;
  /** The full names of everything in it. */
  readonly symbols: ReadonlySet<string>;
}

/**
 * No `map` may be in the schema: protobufjs gives the entries of a map a name that descriptors of other languages refuse, and
 * with it the whole file.
 */
export function describeSchema(schema: Schema, packageName: string): Description {
  const messages = Object.values(protoLoader.fromJSON(schema as object)).flatMap((each) => ('fileDescriptorProtos' in each ? [each] : []));
  const [file] = messages[0]?.fileDescriptorProtos as Buffer[];
  if (file === undefined) throw new Error(`no message is in ${packageName}`);
  // protobufjs makes one file of each package, and calls it this.
  return { file, fileName: `${packageName.replaceAll('.', '_')}.proto`, symbols: new Set(symbolsOf(schema, '')) };
}

function symbolsOf(schema: Schema, name: string): string[] {
  const { nested = {}, fields, oneofs, values, methods } = schema;
  const isPackage = (fields ?? values ?? methods) === undefined;
  const members = Object.keys({ ...fields, ...oneofs, ...values, ...methods }).map((each) => `${name}.${each}`);
  const within = Object.entries(nested).flatMap(([each, inner]) => symbolsOf(inner, name === '' ? each : `${name}.${each}`));
  return [...(isPackage ? [] : [name]), ...members, ...within];
}

/** As protobufjs names the fields of a `.proto` file that it reads itself. */
function inCamelCase({ nested, fields, oneofs, ...rest }: Schema): Schema {
  return {
    ...rest,
    ...(nested && { nested: mapEntries(nested, (name, inner) => [name, inCamelCase(inner)]) }),
    ...(fields && { fields: mapEntries(fields, (name, field) => [camelCase(name), field]) }),
    ...(oneofs && { oneofs: mapEntries(oneofs, (name, { oneof }) => [camelCase(name), { oneof: oneof.map(camelCase) }]) }),
  };
}

function mapEntries<Value>(record: Readonly<Record<string, Value>>, map: (name: string, value: Value) => [string, Value]): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => map(name, value)));
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
