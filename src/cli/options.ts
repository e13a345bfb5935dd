/** Options that several commands have, and how their values are read. */
import { InvalidArgumentError, Option } from 'commander';
import { LockError } from '../errors';
import { nameFault } from '../locks/request-arguments';
import type { TlsSource } from '../transport/tls';
import { TlsStore } from '../transport/tls-store';
import type { TlsFiles } from '../transport/transport';

const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const MS_MAX = 0x7fff_ffff; // what a timer can wait

/** `250ms`, `10s`, `1.5m`, `2h`; a bare number is refused, because its unit is not known. */
export function parseDurationMs(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text.trim());
  const ms = Math.round(Number(match?.[1]) * (UNITS_MS[match?.[2] ?? ''] ?? NaN));
  if (Number.isNaN(ms)) throw new InvalidArgumentError('Write a number with a unit, such as 500ms, 10s, 5m or 1h.');
  if (ms > MS_MAX) throw new InvalidArgumentError('That is too long. Write at most 24 days.');
  return ms;
}

/** For an option given several times: `--peer n2=host:port`. */
export function collectPeers(text: string, before: Record<string, string> = {}): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1 || !isAddress(text.slice(at + 1))) throw new InvalidArgumentError('Write a node id and its address, such as n2=10.0.0.2:7001.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** For `--limit locksPerNode=20000`, given several times; whether there is such a limit, the node checks. */
export function collectLimits(text: string, before: Record<string, number> = {}): Record<string, number> {
  const [, name = '', number = ''] = /^(\w+)=(\d+)$/.exec(text) ?? [];
  if (name === '') throw new InvalidArgumentError('Write the name of a limit and a number, such as locksPerNode=20000.');
  return { ...before, [name]: Number(number) };
}

/** Without brackets nobody could tell where an IPv6 address ends and its port begins. */
function isAddress(text: string): boolean {
  return /^(\[[^\s[\]]+\]|[^\s:[\]]+):\d{1,5}$/.test(text);
}

export function parseAddress(text: string): string {
  if (!isAddress(text)) throw new InvalidArgumentError('Write host:port, such as 127.0.0.1:7001 or [::1]:7001.');
  return text;
}

/** A whole number from 1 on. */
export function parseLimit(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('Write a whole number from 1 on.');
  return Number(text);
}

/** For an id that the configuration does not have. */
export function unknownNode(config: string, id: string, nodes: readonly { readonly id: string }[]): LockError {
  return new LockError('config', `${config} has no node ${JSON.stringify(id)}; give one of ${nodes.map((each) => each.id).join(', ')}`);
}

/** @throws LockError `config` for a name that no lock can have */
export function checkLockNames(names: readonly string[]): void {
  for (const name of names) {
    const fault = nameFault(name);
    if (fault !== null) throw fault instanceof LockError ? fault : new LockError('config', fault.message, { cause: fault });
  }
}

/** Headings of options that several commands have. */
export const NODE_OPTIONS = 'Which node to ask:';
export const TLS_OPTIONS = 'TLS:';

export function configOption(): Option {
  return new Option('-c, --config <file>', 'the configuration').default('quorums.json').env('MAEKAWA_CONFIG');
}

/** An option whose default is in milliseconds, and shown as people write it. */
export function durationOption(flags: string, description: string, defaultText?: string): Option {
  const option = new Option(flags, description).argParser(parseDurationMs);
  return defaultText === undefined ? option : option.default(parseDurationMs(defaultText), defaultText);
}

export interface TlsOptions {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
}

export function tlsOptions(): Option[] {
  return [
    new Option('--tls-cert <file>', 'TLS certificate (PEM); of a node its CN or a DNS name in it is the node id').env('MAEKAWA_TLS_CERT'),
    new Option('--tls-key <file>', 'its private key (PEM)').env('MAEKAWA_TLS_KEY'),
    new Option('--tls-ca <file>', 'certificate of the authority that signed the certificates of all nodes (PEM)').env('MAEKAWA_TLS_CA'),
  ].map((option) => option.helpGroup(TLS_OPTIONS));
}

/** @throws LockError `config` when some but not all of the three files are given. */
export function tlsFilesOf({ tlsCert, tlsKey, tlsCa }: TlsOptions): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined) return undefined;
  if (tlsCert === undefined || tlsKey === undefined || tlsCa === undefined) {
    throw new LockError('config', 'TLS needs three files: give --tls-cert, --tls-key and --tls-ca, or none of them');
  }
  return { certFile: tlsCert, keyFile: tlsKey, caFile: tlsCa };
}

/** What a command shows to nodes, also after the files were renewed. @throws LockError `config` as `tlsFilesOf` does, or when a file cannot be used */
export function clientTlsOf(options: TlsOptions): TlsSource | undefined {
  const files = tlsFilesOf(options);
  return files === undefined ? undefined : new TlsStore(files).watch();
}
