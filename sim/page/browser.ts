/**
 * A headless Chromium, driven over a pipe with the DevTools protocol: no package needed. Machines without
 * a browser skip the tests that need one.
 */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome'];

/** The program, or null when this machine has none. `CHROMIUM` names another. */
export function findChromium(): string | null {
  const candidates = process.env['CHROMIUM'] === undefined ? NAMES : [process.env['CHROMIUM']];
  return candidates.find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0) ?? null;
}

interface Answer {
  readonly id?: number;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
  readonly method?: string;
  readonly params?: Record<string, unknown>;
}

export class Browser {
  /** Errors that the page threw or wrote to its console. */
  readonly complaints: string[] = [];
  private readonly process: ChildProcess;
  private readonly profile = mkdtempSync(join(tmpdir(), 'maekawa-chromium-'));
  private readonly answers = new Map<number, (answer: Answer) => void>();
  private readonly waiters: { readonly method: string; readonly resolve: () => void }[] = [];
  private nextId = 1;
  private session = '';

  constructor(program: string) {
    this.process = spawn(program, [
      '--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--no-first-run', '--remote-debugging-pipe', `--user-data-dir=${this.profile}`,
    ], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true });
    let text = '';
    (this.process.stdio[4] as Readable).on('data', (chunk: Buffer) => {
      const parts = (text + chunk.toString()).split('\0');
      text = parts.pop() ?? '';
      for (const part of parts) this.hear(JSON.parse(part) as Answer);
    });
  }

  /** Open a page of this size in a new tab. */
  async open(file: string, width = 1440, height = 900, hash = ''): Promise<void> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    this.session = '';
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    this.session = String(sessionId);
    await this.send('Page.enable');
    await this.send('Runtime.enable');
    await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    const loaded = this.happens('Page.loadEventFired');
    await this.send('Page.navigate', { url: `${pathToFileURL(file).href}${hash}` });
    await loaded;
  }

  /** The value of an expression in the page, awaited if it is a promise. */
  async evaluate<Value>(expression: string): Promise<Value> {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: Value }).value;
  }

  async press(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : {};
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', key });
  }

  async setColorScheme(value: 'light' | 'dark'): Promise<void> {
    await this.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
  }

  /** As a PNG. */
  async screenshot(): Promise<Buffer> {
    const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(String(data), 'base64');
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once('exit', resolve));
    // The whole group: a helper process that outlives the browser would write to the profile while it is removed.
    if (this.process.pid !== undefined) process.kill(-this.process.pid, 'SIGKILL');
    await ended;
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 20 });
  }

  private happens(method: string): Promise<void> {
    return new Promise((resolve) => this.waiters.push({ method, resolve }));
  }

  private async send(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = this.nextId++;
    const answer = new Promise<Answer>((resolve) => this.answers.set(id, resolve));
    const session = this.session === '' ? {} : { sessionId: this.session };
    (this.process.stdio[3] as Writable).write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    const { result, error } = await answer;
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  private hear({ id, method, params, ...answer }: Answer): void {
    if (id !== undefined) {
      this.answers.get(id)?.(answer);
      this.answers.delete(id);
      return;
    }
    if (method === 'Runtime.exceptionThrown' || (method === 'Runtime.consoleAPICalled' && params?.['type'] === 'error')) {
      this.complaints.push(JSON.stringify(params));
    }
    const place = this.waiters.findIndex((each) => each.method === method);
    if (place >= 0) this.waiters.splice(place, 1)[0]?.resolve();
  }
}
