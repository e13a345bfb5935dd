/**
 * Where a node writes what happens to it. The shape is pino's as far as it is used, so that a pino logger
 * can be handed in as it is; the package brings no logger of its own to programs that have one.
 */
import { visibleJson } from './visible';

/** From the least important on. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** `silent` is above all levels: nothing is written. */
export type LogThreshold = LogLevel | 'silent';

/** As pino has them. */
const SEVERITIES: Readonly<Record<LogThreshold, number>> = { debug: 20, info: 30, warn: 40, error: 50, fatal: 60, silent: Infinity };

/** Writes one entry. */
export interface LogMethod {
  /** The message alone. */
  (message: string): void;
  /** With what it is about: `{ lock: 'invoices' }`. An `Error` among the fields is shown with its stack. */
  (fields: object, message: string): void;
}

/** A logger of pino's shape. */
export interface Logger {
  /** Every message between nodes, and why one was dropped. */
  readonly debug: LogMethod;
  readonly info: LogMethod;
  /** A lock was lost, a peer was refused or reads too slowly. */
  readonly warn: LogMethod;
  readonly error: LogMethod;
  /** The node stops because of a bug. */
  readonly fatal: LogMethod;
  /** A logger that adds `fields` to every entry. */
  child(fields: object): Logger;
  /** Whether entries of this level are written: if not, they need not be made. */
  isLevelEnabled(level: LogLevel): boolean;
}

export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: object;
}

/** Hands every entry of `threshold` and above to `write`. */
export function createLog(threshold: LogThreshold, write: (entry: LogEntry) => void, common: object = {}): Logger {
  const isLevelEnabled = (level: LogLevel): boolean => SEVERITIES[level] >= SEVERITIES[threshold];
  const at = (level: LogLevel): LogMethod => (first: string | object, message?: string): void => {
    if (!isLevelEnabled(level)) return;
    if (typeof first === 'string') write({ level, message: first, fields: common });
    else write({ level, message: message ?? '', fields: { ...common, ...first } });
  };
  return {
    debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), fatal: at('fatal'),
    child: (fields) => createLog(threshold, write, { ...common, ...fields }),
    isLevelEnabled,
  };
}

export const silentLog: Logger = createLog('silent', () => undefined);

/** One line of JSON in pino's format, so that its tools can read it. */
export function jsonLine({ level, message, fields }: LogEntry, timeMs: number): string {
  return `${visibleJson({ level: SEVERITIES[level], time: timeMs, ...plain(fields), msg: message })}\n`;
}

/** The entries of `fields` with errors as JSON can show them. */
export function plain(fields: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]: [string, unknown]) =>
    [key, value instanceof Error ? { type: value.name, message: value.message, stack: value.stack } : value]));
}
