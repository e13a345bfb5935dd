/**
 * Mutual TLS between nodes and with clients: what the files must hold, and whose certificate it is. With TLS a node is who
 * its certificate says; without, ids are only claimed. Law: files that could not work are refused here, by name and with the
 * reason, and never found out by a handshake that fails.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PeerCertificate, SecureContextOptions } from 'node:tls';
import type { NodeId } from '../core/messages';
import { LockError } from '../errors';
import type { TlsFiles } from './transport';

/** The contents of `TlsFiles`, found to be in order. */
export interface TlsMaterial {
  /** This side's own certificate, and those between it and the authority. */
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
  /** From when on others refuse it: when its first certificate runs out. */
  readonly endsAtMs: number;
  /** The file whose certificate runs out first. */
  readonly endsFirst: string;
  /** From when on somebody should know that it ends. */
  readonly warnAtMs: number;
}

/** What the three files hold now. */
export type TlsContents = Pick<TlsMaterial, 'cert' | 'key' | 'ca'>;

/** Where whoever makes a connection finds the certificates of the moment. */
export interface TlsSource {
  readonly material: TlsMaterial;
}

const DAY_MS = 86_400_000;
/** Tools renew a certificate when a third of its life is left. Half of that is late; a month is enough for anybody. */
const WARN_AT_LIFE_LEFT = 1 / 6;
const WARN_MS_MAX = 30 * DAY_MS;

const SERVER_USAGE = '1.3.6.1.5.5.7.3.1';
const CLIENT_USAGE = '1.3.6.1.5.5.7.3.2';
const ANY_USAGE = '2.5.29.37.0';

/** As the ecosystem recommends today (Mozilla's "intermediate" without CBC, which HTTP/2 forbids): forward secrecy and AEAD only. */
const CIPHERS = [
  'TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305',
].join(':');

/** For both sides of a connection. */
export function secureContextOptions({ cert, key, ca }: TlsContents): SecureContextOptions {
  return { cert, key, ca, minVersion: 'TLSv1.2', ciphers: CIPHERS };
}

/**
 * For a client when `self` is left out, which need not be any node.
 * @throws LockError 'config' for a file that cannot be read, or that could not work: see `checkTls`
 */
export function loadTls(files: TlsFiles, self?: NodeId): TlsMaterial {
  return checkTls(readTls(files), files, self);
}

/** @throws LockError 'config' for a file that cannot be read */
export function readTls(files: TlsFiles): TlsContents {
  return {
    cert: readPem('certificate', files.certFile),
    key: readPem('private key', files.keyFile),
    ca: readPem('authority certificate', files.caFile),
  };
}

/**
 * Both sides: there is a certificate, it is valid now, the key is its key, there is an authority. A node's certificate
 * must also be signed by that authority, name the node, and serve for both directions, because a node dials and is dialled.
 * @throws LockError 'config' with the fault, which names the files
 */
export function checkTls(contents: TlsContents, files: TlsFiles, self?: NodeId, nowMs = Date.now()): TlsMaterial {
  const { certFile, keyFile, caFile } = files;
  const [certificate, ...between] = certificatesIn(contents.cert, certFile, 'certificate', '--tls-cert; tls.certFile');
  const authorities = certificatesIn(contents.ca, caFile, 'certificate of an authority', '--tls-ca; tls.caFile');
  if (certificate === undefined) throw new RangeError('certificatesIn finds one or throws');
  const key = privateKeyIn(contents.key, keyFile);
  if (!certificate.checkPrivateKey(key)) {
    throw new LockError('config', `the private key in ${keyFile} is not that of the certificate in ${certFile}. Give the two files that were made together`);
  }
  refuseUnlessValid(certificate, certFile, nowMs);
  if (self !== undefined) {
    const fault = certificateFault(certificate.toLegacyObject(), self);
    if (fault !== null) throw new LockError('config', `${certFile}: ${fault}`);
    refuseUnlessUsable(certificate, certFile);
    refuseUnlessSigned(certificate, between, authorities, files, nowMs);
  }
  const ends = [{ file: certFile, certificate }, ...(authorities.length === 1 && authorities[0] !== undefined ? [{ file: caFile, certificate: authorities[0] }] : [])];
  const [first] = ends.sort((a, b) => endOf(a.certificate) - endOf(b.certificate));
  if (first === undefined) throw new RangeError('there is the certificate itself');
  const endsAtMs = endOf(first.certificate);
  const lifeMs = endsAtMs - Date.parse(first.certificate.validFrom);
  return { ...contents, endsAtMs, endsFirst: first.file, warnAtMs: endsAtMs - Math.min(WARN_MS_MAX, lifeMs * WARN_AT_LIFE_LEFT) };
}

/** What somebody should do soon about certificates that run out; or null. */
export function expiryWarning({ endsAtMs, endsFirst, warnAtMs }: TlsMaterial, nowMs: number): string | null {
  if (nowMs < warnAtMs) return null;
  const date = dateOf(endsAtMs);
  return nowMs >= endsAtMs
    ? `the certificate in ${endsFirst} expired at ${date}: others refuse new connections with it. Put a new one into the file`
    : `the certificate in ${endsFirst} expires at ${date}. Put a new one into the file before that; the node reads it without a restart`;
}

/** Why this certificate is not that node's; or null. */
export function certificateFault(certificate: Pick<PeerCertificate, 'subject' | 'subjectaltname'>, node: NodeId): string | null {
  const names = certificateNames(certificate);
  if (names.includes(node)) return null;
  return `the certificate is for ${shownNames(names)}, not for node ${node} (its CN or a DNS name must be the node id)`;
}

/** Its CN and its DNS names. */
export function certificateNames({ subject, subjectaltname = '' }: Pick<PeerCertificate, 'subject' | 'subjectaltname'>): string[] {
  const commonName: unknown = subject?.CN; // several when the certificate has several, whatever its type says
  // Quotes stand around a name with odd characters, by which it could pass for several: then none of them counts.
  const alternatives = subjectaltname.includes('"') ? [] : subjectaltname.split(', ');
  const dnsNames = alternatives.filter((name) => name.startsWith('DNS:')).map((name) => name.slice('DNS:'.length));
  return [...new Set([...[commonName].flat().filter((name) => typeof name === 'string'), ...dnsNames])];
}

/** For a message: whoever shows a certificate chose them. */
export function shownNames(names: readonly string[]): string {
  return names.slice(0, 5).map((name) => (/^[\w.:*-]{1,128}$/.test(name) ? name : JSON.stringify(name.slice(0, 128)))).join(', ') || 'nobody';
}

function certificatesIn(pem: Buffer, file: string, what: string, option: string): X509Certificate[] {
  const blocks = pem.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const holds = pem.includes('PRIVATE KEY-----') ? 'a private key and no certificate' : 'no certificate in PEM form';
  if (blocks.length === 0) throw new LockError('config', `${file} holds ${holds}. Name the file of the ${what} (${option})`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (cause) {
      throw new LockError('config', `certificate ${index + 1} in ${file} is damaged: ${(cause as Error).message}. Make the file anew`, { cause });
    }
  });
}

function privateKeyIn(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const problem = code === 'ERR_MISSING_PASSPHRASE' ? 'is encrypted. Give one without a passphrase, which only its owner may read'
      : pem.includes('BEGIN CERTIFICATE') ? 'holds a certificate and no private key. Name the file of the key (--tls-key; tls.keyFile)'
      : 'holds no private key in PEM form. Name the file of the key (--tls-key; tls.keyFile)';
    throw new LockError('config', `${file} ${problem}`, { cause });
  }
}

function refuseUnlessValid(certificate: X509Certificate, file: string, nowMs: number): void {
  if (nowMs > endOf(certificate)) {
    throw new LockError('config', `the certificate in ${file} expired at ${dateOf(endOf(certificate))}, and it is ${dateOf(nowMs)}. Put a new one into the file`);
  }
  const beginsMs = Date.parse(certificate.validFrom);
  if (nowMs < beginsMs) {
    throw new LockError('config', `the certificate in ${file} is valid from ${dateOf(beginsMs)} on, and this machine's clock says ${dateOf(nowMs)}. Set the clock right, or wait`);
  }
}

function refuseUnlessUsable(certificate: X509Certificate, file: string): void {
  // Of the extended key usage; its type in Node.js says that it is always there.
  const usages = certificate.keyUsage as readonly string[] | undefined;
  if (usages === undefined || usages.includes(ANY_USAGE)) return;
  const missing = [...(usages.includes(SERVER_USAGE) ? [] : ['servers (serverAuth)']), ...(usages.includes(CLIENT_USAGE) ? [] : ['clients (clientAuth)'])];
  if (missing.length === 0) return;
  throw new LockError('config', `the certificate in ${file} may not be used for ${missing.join(' nor for ')}: a node dials and is dialled, so its extendedKeyUsage must have both, or be left out`);
}

/** Up to an authority that signed itself, as every TLS library asks for. */
function refuseUnlessSigned(certificate: X509Certificate, between: readonly X509Certificate[], authorities: readonly X509Certificate[], { certFile, caFile }: TlsFiles, nowMs: number): void {
  let last = certificate;
  for (let steps = between.length + authorities.length; steps >= 0; steps--) {
    if (authorities.some((each) => each.fingerprint256 === last.fingerprint256) && isSignedBy(last, last)) return;
    const signers = [...authorities.map((each) => ({ each, file: caFile })), ...between.map((each) => ({ each, file: certFile }))]
      .filter(({ each }) => each.fingerprint256 !== last.fingerprint256 && isSignedBy(last, each));
    const next = signers.find(({ each }) => isValid(each, nowMs)) ?? signers[0];
    if (next === undefined) break;
    refuseUnlessValid(next.each, next.file, nowMs);
    last = next.each;
  }
  const missing = last === certificate ? '' : `; ${caFile} must hold the authority that signed itself, at the end of the chain`;
  throw new LockError('config', `the certificate in ${certFile} was not signed by an authority in ${caFile} (its issuer is ${oneLine(last.issuer)})${missing}. Give the authority's own certificate, the same to all nodes`);
}

function isValid(certificate: X509Certificate, nowMs: number): boolean {
  return nowMs <= endOf(certificate) && nowMs >= Date.parse(certificate.validFrom);
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function oneLine(name: string): string {
  return name.split('\n').join(', ').slice(0, 200);
}

function endOf(certificate: X509Certificate): number {
  return Date.parse(certificate.validTo);
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

function readPem(what: string, path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new LockError('config', `cannot read the TLS ${what} ${path}: ${(cause as NodeJS.ErrnoException).code}. Check the name and the permissions of the file`, { cause });
  }
}
