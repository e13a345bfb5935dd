/**
 * What tools expect of a gRPC server besides its own service: health checking for probes (the messages and their meaning are
 * those of gRPC's health service), and reflection. Law: no probe, however little it reads, costs the node memory without end.
 */
import type { MethodDefinition, Server, ServerUnaryCall, ServerWritableStream, sendUnaryData } from '@grpc/grpc-js';
import { status } from '@grpc/grpc-js';
import { loadSchema } from './load-schema';
import { addReflection } from './reflection';
import { LOCKS_SERVICE } from './schema';
import { healthSchema } from './schemas';

/**
 * The names that a probe may ask for. The empty one stands for the server as a whole, and is what probes ask for that name
 * none: it lives. A node that lives and reaches no quorum must not be restarted, for that heals nothing.
 */
const ALIVE = ['', 'liveness'] as const;
const READY = 'readiness';

export type ServingStatus = 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

interface HealthQuestion {
  readonly service: string;
}

interface HealthAnswer {
  readonly status: ServingStatus;
}

interface HealthMethods {
  readonly Check: MethodDefinition<HealthQuestion, HealthAnswer>;
  readonly Watch: MethodDefinition<HealthQuestion, HealthAnswer>;
  readonly List: MethodDefinition<object, { readonly statuses: Readonly<Record<string, HealthAnswer>> }>;
}

let methods: HealthMethods | undefined;

/** Loaded when first asked for: a process that needs no health does not pay for it. */
function healthMethods(): HealthMethods {
  return (methods ??= loadSchema(healthSchema)['grpc.health.v1.Health'] as unknown as HealthMethods);
}

/** What a probe asks. */
export function healthCheck(): HealthMethods['Check'] {
  return healthMethods().Check;
}

/** How a probe is told of each change. */
export function healthWatch(): HealthMethods['Watch'] {
  return healthMethods().Watch;
}

/** What probes are told. */
export interface Vitals {
  /** The node runs, whether or not a lock can be had: services `` and `liveness`. */
  readonly isAlive: boolean;
  /** A lock can be had through it: service `maekawa.v1.Locks`. */
  readonly servesLocks: boolean;
  /** That, and it lends its vote: another node may be restarted. Service `readiness`. */
  readonly isReady: boolean;
}

export interface Health {
  set(vitals: Vitals): void;
}

type WatchCall = ServerWritableStream<HealthQuestion, HealthAnswer>;

export function addDiscovery(server: Server): Health {
  const statuses = new Map<string, ServingStatus>([...ALIVE, LOCKS_SERVICE, READY].map((service) => [service, 'NOT_SERVING']));
  /** Who watches, and what each was told last. */
  const watches = new Map<WatchCall, ServingStatus | undefined>();
  const tell = (call: WatchCall): void => {
    const serving = statuses.get(call.request.service) ?? 'SERVICE_UNKNOWN';
    // Who does not read is told the newest status when it does: what it missed is of no use to it.
    if (call.writableNeedDrain || !watches.has(call) || watches.get(call) === serving) return;
    watches.set(call, serving);
    call.write({ status: serving });
  };
  server.addService({ ...healthMethods() }, {
    Check: ({ request: { service } }: ServerUnaryCall<HealthQuestion, HealthAnswer>, reply: sendUnaryData<HealthAnswer>) => {
      const serving = statuses.get(service);
      if (serving === undefined) reply({ code: status.NOT_FOUND, details: `there is no service ${JSON.stringify(service.slice(0, 200))}` });
      else reply(null, { status: serving });
    },
    Watch: (call: WatchCall) => {
      watches.set(call, undefined);
      call.once('close', () => watches.delete(call));
      call.on('drain', () => tell(call));
      tell(call);
    },
    List: (_call: unknown, reply: sendUnaryData<{ readonly statuses: Readonly<Record<string, HealthAnswer>> }>) =>
      reply(null, { statuses: Object.fromEntries([...statuses].map(([service, serving]) => [service, { status: serving }])) }),
  });
  addReflection(server);
  return {
    set: ({ isAlive, servesLocks, isReady }) => {
      const word = (isServing: boolean): ServingStatus => (isServing ? 'SERVING' : 'NOT_SERVING');
      for (const service of ALIVE) statuses.set(service, word(isAlive));
      statuses.set(LOCKS_SERVICE, word(servesLocks));
      statuses.set(READY, word(isReady));
      for (const call of watches.keys()) tell(call);
    },
  };
}
