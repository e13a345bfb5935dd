/** Warnings that whoever can connect may cause again and again: once is enough to be seen. Law: bounded in memory. */
import type { Logger } from '../log';

/** So many reasons are remembered: whoever can connect may make up new ones. */
const REASONS_MAX = 100;

export class NewsLog {
  private readonly seen = new Set<string>();

  constructor(private readonly log: Logger) {}

  /** With the level `debug` when it was told before. */
  warn(fields: Readonly<Record<string, unknown>> & { readonly reason?: string }, text: string): void {
    const what = fields.reason ?? text;
    const level = this.seen.has(what) ? 'debug' : 'warn';
    if (this.seen.size >= REASONS_MAX) this.seen.clear();
    this.seen.add(what);
    this.log[level](fields, text);
  }
}
