/**
 * How a channel to a node is made, by its peers and by clients alike. Law: nothing stands in between (no proxy, whatever the
 * environment says), and with TLS nobody is talked to but the one who is meant.
 */
import { isIP } from 'node:net';
import { checkServerIdentity, createSecureContext } from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import type { NodeId } from '../core/messages';
import { certificateFault, certificateNames, secureContextOptions, shownNames } from './tls';
import type { TlsMaterial } from './tls';

const OPTIONS: grpc.ChannelOptions = {
  // Two clients in one process are two: each is known by its connection, and may want as many locks as it allows.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.enable_http_proxy': 0,
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
};

/** What goes on the wire as the name of the server where only an address is known, which TLS does not allow there. */
const NO_NAME = 'maekawa';

/**
 * @param address `host:port`
 * @param node which node of a known configuration is meant: its certificate must name it, wherever it lives. Null where the
 * address is all that is known: the certificate must then be for its host
 */
export function channelTo(address: string, node: NodeId | null, tls: TlsMaterial | undefined, options: grpc.ChannelOptions): grpc.Client {
  // The scheme keeps gRPC from reading another one into the host.
  const target = `dns:${address}`;
  if (tls === undefined) return new grpc.Client(target, grpc.credentials.createInsecure(), { ...OPTIONS, ...options });
  const host = hostOf(address);
  const name = node ?? host;
  const credentials = grpc.credentials.createFromSecureContext(createSecureContext(secureContextOptions(tls)), {
    checkServerIdentity: (_name, certificate) => {
      if (node !== null) {
        const fault = certificateFault(certificate, node);
        return fault === null ? undefined : new Error(fault);
      }
      if (checkServerIdentity(host, certificate) === undefined) return undefined;
      return new Error(`the certificate is for ${shownNames(certificateNames(certificate))}, not for ${host}; name the configuration too (--config; connect: config), so that the id of the node is expected`);
    },
  });
  return new grpc.Client(target, credentials, { ...OPTIONS, 'grpc.ssl_target_name_override': isIP(name) === 0 ? name : NO_NAME, ...options });
}

/** `10.0.0.1`, `::1`, `lock.example`. */
export function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[(.*)\]$/, '$1');
}
