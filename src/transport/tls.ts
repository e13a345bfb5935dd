/**
 * Mutual TLS between nodes: the files, and whose certificate it is. With TLS a node is who its
 * certificate says; without, ids are only claimed.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PeerCertificate } from 'node:tls';
import type { NodeId } from '../core/messages';
import { LockError } from '../errors';
import type { TlsFiles } from './transport';

/** The contents of `TlsFiles`. */
export interface TlsMaterial {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

/** For a client, which need not be any node. Throws LockError 'config' for a file that cannot be read. */
export function loadClientTls(files: TlsFiles): TlsMaterial {
  return {
    cert: readPem('certificate', files.certFile),
    key: readPem('private key', files.keyFile),
    ca: readPem('authority certificate', files.caFile),
  };
}

/** Throws LockError 'config' for a file that cannot be read, or a certificate that is not this node's. */
export function loadTls(files: TlsFiles, self: NodeId): TlsMaterial {
  const material = loadClientTls(files);
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(material.cert);
  } catch (cause) {
    throw new LockError('config', `${files.certFile} holds no certificate in PEM form. Name the file of the certificate`, { cause });
  }
  const fault = certificateFault(certificate.toLegacyObject(), self);
  if (fault !== null) throw new LockError('config', `${files.certFile}: ${fault}`);
  return material;
}

/** Why this certificate is not that node's; or null. */
export function certificateFault(certificate: Pick<PeerCertificate, 'subject' | 'subjectaltname'>, node: NodeId): string | null {
  const names = certificateNames(certificate);
  if (names.includes(node)) return null;
  return `the certificate is for ${names.join(', ') || 'nobody'}, not for node ${node} (its CN or a DNS name must be the node id)`;
}

function certificateNames({ subject, subjectaltname = '' }: Pick<PeerCertificate, 'subject' | 'subjectaltname'>): string[] {
  const commonName: unknown = subject?.CN; // several when the certificate has several, whatever its type says
  // Quotes stand around a name with odd characters, by which it could pass for several: then none of them counts.
  const alternatives = subjectaltname.includes('"') ? [] : subjectaltname.split(', ');
  const dnsNames = alternatives.filter((name) => name.startsWith('DNS:')).map((name) => name.slice('DNS:'.length));
  return [...[commonName].flat().filter((name) => typeof name === 'string'), ...dnsNames];
}

function readPem(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new LockError('config', `cannot read the TLS ${what} ${path}: ${(cause as NodeJS.ErrnoException).code}. Check the name and the permissions of the file`, { cause });
  }
}
