/** How a stream of a client ends that breaks a rule, or that there is no room for. For what is held it is the same as a break. */
import type * as grpc from '@grpc/grpc-js';

/** End the stream with this status. */
export function refuse(call: Pick<NodeJS.EventEmitter, 'emit'>, code: grpc.status, details: string): void {
  call.emit('error', { code, details });
}
