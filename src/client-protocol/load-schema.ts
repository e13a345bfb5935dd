/**
 * Makes gRPC services of the schemas in `schemas.ts`. Law: it reads no file, so a program works that a bundler has made one
 * file of.
 */
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { Codecs } from './message-codec';
import type { MethodSchema, Schema } from './message-codec';

/** The services of a schema, by their full names. The fields of messages are named as in JavaScript: `waitMs`. */
export function loadSchema(schema: Schema): Readonly<Record<string, ServiceDefinition>> {
  const codecs = new Codecs(inCamelCase(schema));
  return Object.fromEntries(servicesOf(schema, '').map(([service, methods]) => [
    service,
    mapEntries(methods, (name, method) => [name, methodOf(codecs, service, name, method)]),
  ]));
}

function servicesOf({ nested = {}, methods }: Schema, name: string): (readonly [string, Readonly<Record<string, MethodSchema>>])[] {
  const within = Object.entries(nested).flatMap(([each, inner]) => servicesOf(inner, name === '' ? each : `${name}.${each}`));
  return methods === undefined ? within : [[name, methods], ...within];
}

function methodOf(
  codecs: Codecs, service: string, name: string, { requestType, requestStream, responseType, responseStream }: MethodSchema,
): MethodDefinition<object, object> {
  const request = codecs.codecOf(requestType, service);
  const response = codecs.codecOf(responseType, service);
  return {
    path: `/${service}/${name}`,
    requestStream: requestStream === true,
    responseStream: responseStream === true,
    requestSerialize: request.encode,
    requestDeserialize: request.decode,
    responseSerialize: response.encode,
    responseDeserialize: response.decode,
  };
}

/** A schema as reflection tells it to others. */
export interface Description {
  /** An encoded FileDescriptorProto, with fields named as in the `.proto` file. */
  readonly file: Buffer;
  readonly fileName: string;
  /** The full names of everything in it. */
  readonly symbols: ReadonlySet<string>;
}

/** @param descriptor what `npm run schemas` wrote of it: a FileDescriptorProto in base64 */
export function describeSchema(schema: Schema, packageName: string, descriptor: string): Description {
  // protobufjs makes one file of each package, and calls it this.
  return { file: Buffer.from(descriptor, 'base64'), fileName: `${packageName.replaceAll('.', '_')}.proto`, symbols: new Set(symbolsOf(schema, '')) };
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

function mapEntries<Value, Mapped>(record: Readonly<Record<string, Value>>, map: (name: string, value: Value) => [string, Mapped]): Record<string, Mapped> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => map(name, value)));
}

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
