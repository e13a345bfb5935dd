/**
 * What `maekawa node` logs: JSON lines for machines, and on a terminal lines for people that leave the line
 * being typed intact. Law: a log that cannot be written never stops the node, for others count on its vote.
 */
import type { Interface } from 'node:readline';
import { inspect } from 'node:util';
import { createLog, jsonLine, plain } from '../log';
import type { LogEntry, LogLevel, LogThreshold, Logger } from '../log';
import { onUnwritten } from '../standard-output';
import { visible, visibleJson, visibleLines } from '../visible';
import { draw } from './print';

const COLORS: Record<LogLevel, number> = { debug: 34, info: 32, warn: 33, error: 31, fatal: 41 };

export function jsonLog(threshold: LogThreshold, common: object): Logger {
  let isRead = true;
  onUnwritten(() => (isRead = false));
  return createLog(threshold, (entry) => {
    if (isRead) draw(jsonLine(entry, Date.now()));
  }, common);
}

export function terminalLog(threshold: LogThreshold, terminal: Interface | undefined): Logger {
  let isOpen = terminal !== undefined;
  terminal?.on('close', () => (isOpen = false));
  onUnwritten(() => undefined);
  return createLog(threshold, (entry) => {
    if (isOpen) draw('\r\x1b[K');
    draw(terminalLine(entry, new Date()));
    if (isOpen) terminal?.prompt(true);
  });
}

/** Time of day, level, message, and the fields in grey; of an error the stack below. */
export function terminalLine({ level, message, fields }: LogEntry, time: Date): string {
  const clock = `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
  const head = `[${clock}] ${color(COLORS[level], level.toUpperCase())}: ${color(36, visible(message))}`;
  const errors = Object.values(fields).filter((value) => value instanceof Error);
  const others = Object.entries(fields).filter(([, value]) => !(value instanceof Error));
  const tail = others.length === 0 ? '' : ` ${color(90, visibleJson(plain(Object.fromEntries(others))))}`;
  return `${head}${tail}\n${errors.map((error) => `${visibleLines(inspect(error)).replace(/^/gm, '    ')}\n`).join('')}`;
}

function color(code: number, text: string): string {
  return `\x1b[${code}m${text}\x1b[0m`;
}
