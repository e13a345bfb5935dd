/**
 * Reflection: tells tools like grpcurl what the service for clients is, so that they need no `.proto` file. The messages and
 * their meaning are those of gRPC's reflection service, in both versions that tools ask for. Law: a client that does not
 * read is not answered further.
 */
import type { Server, ServerDuplexStream } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { describeSchema, loadSchema } from './load-schema';
import type { Description } from './load-schema';
import { LOCKS_SERVICE } from './schema';
import { locksDescriptor, locksSchema, reflectionSchema } from './schemas';

interface Question {
  /** Which of them is asked. */
  readonly messageRequest?: string;
  readonly fileByFilename?: string;
  readonly fileContainingSymbol?: string;
  readonly fileContainingExtension?: { readonly containingType: string; readonly extensionNumber: number };
  readonly allExtensionNumbersOfType?: string;
}

type Answer =
  | { readonly listServicesResponse: { readonly service: readonly { readonly name: string }[] } }
  | { readonly fileDescriptorResponse: { readonly fileDescriptorProto: readonly Buffer[] } }
  | { readonly errorResponse: { readonly errorCode: status; readonly errorMessage: string } };

type ReflectionCall = ServerDuplexStream<Question, Answer & { readonly validHost?: string; readonly originalRequest: Question }>;

/** v1 as it is; v1alpha has the same messages under its older name. */
const versions = {
  v1: reflectionSchema,
  v1alpha: { nested: { grpc: { nested: { reflection: { nested: { v1alpha: reflectionSchema.nested.grpc.nested.reflection.nested.v1 } } } } } },
};

export function addReflection(server: Server): void {
  const description = describeSchema(locksSchema, 'maekawa.v1', locksDescriptor);
  for (const [version, schema] of Object.entries(versions)) {
    const service = loadSchema(schema)[`grpc.reflection.${version}.ServerReflection`] ?? {};
    server.addService(service, { ServerReflectionInfo: (call: ReflectionCall) => serve(call, description) });
  }
}

function serve(call: ReflectionCall, description: Description): void {
  call.on('data', (question: Question) => {
    // The answer repeats the question: of what is not read, one is kept.
    call.pause();
    call.write({ ...answer(question, description), originalRequest: question }, () => call.resume());
  });
  call.on('end', () => call.end());
}

function answer(question: Question, { file, fileName, symbols }: Description): Answer {
  const found: Answer = { fileDescriptorResponse: { fileDescriptorProto: [file] } };
  switch (question.messageRequest) {
    case 'listServices':
      return { listServicesResponse: { service: [{ name: LOCKS_SERVICE }] } };
    case 'fileContainingSymbol':
      return symbols.has(question.fileContainingSymbol ?? '') ? found : notFound(`there is no ${question.fileContainingSymbol}`);
    case 'fileByFilename':
      return question.fileByFilename === fileName ? found : notFound(`there is no file ${question.fileByFilename}`);
    case 'fileContainingExtension':
    case 'allExtensionNumbersOfType':
      return notFound('there are no extensions');
    default:
      return { errorResponse: { errorCode: status.UNIMPLEMENTED, errorMessage: 'the node does not know this question' } };
  }
}

function notFound(errorMessage: string): Answer {
  return { errorResponse: { errorCode: status.NOT_FOUND, errorMessage } };
}
