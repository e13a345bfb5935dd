/**
 * Records what a node's core was told and what it answered, one JSON line for each event, so that the
 * same core can be fed the same events again elsewhere (`npm run sim -- --replay`). A file holds several
 * lives of a node, one after the other; each begins with a line that says what the core was made from.
 * Law: a trace that cannot be written never stops the node.
 */
import { closeSync, fstatSync, writeSync } from 'node:fs';
import type { Configuration } from '../config';
import { tracedEffect, tracedEvent } from '../core';
import type { Birth, CoreSettings, Effect, Event, NodeId } from '../core';
import { LockError } from '../errors';
import type { Logger } from '../log';
import { openOwnLog, readStart, remedyFor } from './own-files';

/** How every trace begins. */
const BEGINNING = '\n{"trace":';

/** How long a line may wait in memory: what a killed node loses. */
const FLUSH_MS = 100;
const BUFFER_LENGTH_MAX = 65_536;

export interface Life {
  readonly id: NodeId;
  readonly configuration: Configuration;
  readonly settings: CoreSettings;
  readonly birth: Birth;
  /** The node's own time when the wall clock of its birth was read. */
  readonly nowMs: number;
}

export class TraceWriter {
  private buffer = '';
  private timer: NodeJS.Timeout | undefined;

  private constructor(
    private file: number | null,
    private readonly log: Logger,
  ) {}

  /** Appends to a trace, or makes a new one. @throws LockError `storage` when the file cannot be opened, or is something else */
  static open(path: string, log: Logger): TraceWriter {
    let file: number;
    try {
      file = openOwnLog(path);
    } catch (cause) {
      throw new LockError('storage', `cannot write the trace ${path}: ${(cause as Error).message}. ${remedyFor(cause)}, or name another file`, { cause });
    }
    if (fstatSync(file).isFile() && !BEGINNING.startsWith(readStart(file, BEGINNING.length))) {
      closeSync(file);
      throw new LockError('storage', `${path} is there already and is no trace, so nothing is written to it. Name another file`);
    }
    const writer = new TraceWriter(file, log);
    // A killed node may have left half a line.
    writer.buffer = '\n';
    return writer;
  }

  /** The first line of a life: all that the core is made from. */
  begin({ id, configuration, settings, birth, nowMs }: Life): void {
    // Whatever else there is to set: a replay without it would be of another core.
    const rest = Object.fromEntries(Object.entries(settings).filter(([name]) => name !== 'self' && name !== 'coterie'));
    this.write({
      trace: 'maekawa 1',
      node: id,
      nodes: configuration.nodes.map((node) => node.id),
      quorums: configuration.quorums,
      settings: rest,
      birth,
      nowMs,
    });
  }

  /** `effects` is null when the core threw. */
  record(event: Event, effects: readonly Effect[] | null): void {
    this.write({ event: tracedEvent(event), effects: effects === null ? null : effects.map(tracedEffect) });
  }

  close(): void {
    this.flush();
    if (this.file !== null) closeSync(this.file);
    this.file = null;
  }

  private write(line: object): void {
    if (this.file === null) return;
    this.buffer += `${JSON.stringify(line)}\n`;
    if (this.buffer.length >= BUFFER_LENGTH_MAX) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), FLUSH_MS).unref();
  }

  private flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const bytes = Buffer.from(this.buffer);
    this.buffer = '';
    try {
      for (let written = 0; this.file !== null && written < bytes.length; ) written += writeSync(this.file, bytes, written);
    } catch (error) {
      this.log.error(`cannot write the trace any more; the trace ends here: ${(error as Error).message}`);
      if (this.file !== null) closeSync(this.file);
      this.file = null;
    }
  }
}
