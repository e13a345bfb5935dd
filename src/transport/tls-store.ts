/**
 * The certificates of a process while it runs: the files are read again, so that a renewed certificate, or another authority,
 * needs no restart. Law: files that could not work never take the place of what was read before.
 */
import { readFile } from 'node:fs/promises';
import { LockError } from '../errors';
import { silentLog } from '../log';
import type { Logger } from '../log';
import type { NodeId } from '../core/messages';
import { checkTls, expiryWarning, loadTls } from './tls';
import type { TlsContents, TlsMaterial, TlsSource } from './tls';
import type { TlsFiles } from './transport';

/** The files are looked at that often. */
const LOOK_MS = 5_000;

export interface TlsStoreOptions {
  /** The node whose certificate it must be; left out for a client, which need not be any. */
  readonly self?: NodeId;
  readonly log?: Logger;
  /** Default: every 5 seconds. */
  readonly lookMs?: number;
}

export class TlsStore implements TlsSource {
  /** Called with what is used from now on. */
  onRenewed: (material: TlsMaterial) => void = () => undefined;
  /** Called each time the files were looked at. */
  onLooked: () => void = () => undefined;
  private current: TlsMaterial;
  private timer: NodeJS.Timeout | undefined;
  /** What was wrong when the files were last looked at. */
  private fault: string | null = null;
  private toldFault: string | null = null;

  /** @throws LockError `config` for files that cannot be read or could not work */
  constructor(
    private readonly files: TlsFiles,
    private readonly options: TlsStoreOptions = {},
  ) {
    this.current = loadTls(files, options.self);
  }

  get material(): TlsMaterial {
    return this.current;
  }

  /** That a certificate ends soon, or has ended, and what to do; or null. */
  expiry(nowMs: number): string | null {
    return expiryWarning(this.current, nowMs);
  }

  /** That new files could not be used, and why; or null. */
  get kept(): string | null {
    return this.toldFault === null ? null : `the new TLS files cannot be used, and the earlier ones still are: ${this.toldFault}`;
  }

  /** From now on the files are looked at again and again. Keeps no process alive. */
  watch(): this {
    this.timer ??= setInterval(() => void this.look().then(() => this.onLooked()), this.options.lookMs ?? LOOK_MS).unref();
    return this;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Reads the files again. */
  async look(): Promise<void> {
    const { files, options } = this;
    try {
      const [cert, key, ca] = await Promise.all([readFile(files.certFile), readFile(files.keyFile), readFile(files.caFile)]);
      if (this.holds({ cert, key, ca })) return this.isSound();
      this.current = checkTls({ cert, key, ca }, files, options.self);
    } catch (error) {
      return this.isUnsound(error instanceof LockError ? error.message : `cannot read a TLS file: ${(error as Error).message}`);
    }
    this.isSound();
    (options.log ?? silentLog).info({ until: new Date(this.current.endsAtMs).toISOString() }, 'read new TLS files; new connections use them');
    this.onRenewed(this.current);
  }

  private holds({ cert, key, ca }: TlsContents): boolean {
    return cert.equals(this.current.cert) && key.equals(this.current.key) && ca.equals(this.current.ca);
  }

  private isSound(): void {
    this.fault = null;
    this.toldFault = null;
  }

  /** Whoever renews files replaces one after the other, so a fault is told when it is still there the next time. */
  private isUnsound(fault: string): void {
    if (fault === this.fault && fault !== this.toldFault) {
      this.toldFault = fault;
      (this.options.log ?? silentLog).warn({ reason: fault }, 'cannot use the new TLS files, and goes on with those it read before');
    }
    this.fault = fault;
  }
}
