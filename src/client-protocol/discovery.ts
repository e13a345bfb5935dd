/**
 * What tools expect of a gRPC server besides its own service: health checking for probes, and reflection
 * so that grpcurl knows the service without its `.proto` file.
 */
import type { MethodDefinition, Server } from '@grpc/grpc-js';
import * as protoLoader from '@grpc/proto-loader';
import type * as Reflection from '@grpc/reflection';
import type * as HealthCheck from 'grpc-health-check';
import { LOCKS_PROTO, protoDirectory } from './schema';

export const LOCKS_SERVICE = 'maekawa.v1.Locks';

/** The names that a probe may ask for: the server as a whole, and its service for clients. */
const SERVICES = ['', LOCKS_SERVICE] as const;

/*
 * Loaded when they are needed: most commands of the command line need neither, and would start a third later.
 */
/* eslint-disable @typescript-eslint/no-require-imports */
const healthChecking = (): typeof HealthCheck => require('grpc-health-check') as typeof HealthCheck;
const reflecting = (): typeof Reflection => require('@grpc/reflection') as typeof Reflection;
/* eslint-enable @typescript-eslint/no-require-imports */

/** What a probe asks. */
export function healthCheck(): MethodDefinition<{ readonly service: string }, { readonly status: HealthCheck.ServingStatus }> {
  return healthChecking().service['Check'] as unknown as ReturnType<typeof healthCheck>;
}

export interface Health {
  /** Serving means that a lock can be had through this node: it reaches a quorum. */
  setServing(isServing: boolean): void;
}

/**
 * With fields named as in the file. No `map` may be in it: protobufjs gives the entries of a map a name that
 * descriptors of other languages refuse, and with it the whole file. (Health checking has one; probes know it anyway.)
 */
function reflection(): Reflection.ReflectionService {
  const described = protoLoader.loadSync(LOCKS_PROTO, { includeDirs: [protoDirectory()], keepCase: true });
  const { ReflectionService } = reflecting();
  return new ReflectionService(described, { services: [LOCKS_SERVICE] });
}

export function addDiscovery(server: Server): Health {
  const { HealthImplementation } = healthChecking();
  const health = new HealthImplementation(Object.fromEntries(SERVICES.map((service) => [service, 'NOT_SERVING'])));
  health.addToServer(server);
  reflection().addToServer(server);
  return {
    setServing: (isServing) => {
      for (const service of SERVICES) health.setStatus(service, isServing ? 'SERVING' : 'NOT_SERVING');
    },
  };
}
