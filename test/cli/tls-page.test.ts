/** docs/tls.md does what it says: its shell blocks, word for word and in one shell, but on free ports. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROGRAM, freePorts, track } from '../support/processes';
import { blocksOf } from '../package/markdown';

/** Linux has all of 127.0.0.0/8 as its own; the page asks for OpenSSL 3. */
function canRun(): boolean {
  try {
    return process.platform === 'linux' && execFileSync('openssl', ['version'], { encoding: 'utf8' }).startsWith('OpenSSL 3');
  } catch {
    return false;
  }
}

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'maekawa-tls-page-'))));
afterEach(() => rmSync(directory, { recursive: true, force: true }));

(canRun() ? test : test.skip)('the page on TLS: from nothing to new certificates', async () => {
  const [port = 0] = await freePorts(1);
  const blocks = blocksOf('docs/tls.md').filter(({ language }) => language === 'sh').map(({ text }) => text);
  expect(blocks.length).toBeGreaterThan(6);
  writeFileSync(join(directory, 'maekawa'), `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
  chmodSync(join(directory, 'maekawa'), 0o755);
  // Whatever fails ends it, and the nodes with it.
  const script = `set -eu\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n${blocks.join('\n').replaceAll(':7001', `:${port}`)}\necho 'the page is done'\n`;
  const child = track(spawn('bash', ['-c', script], { cwd: directory, env: { ...process.env, PATH: `${directory}:${process.env['PATH'] ?? ''}` }, stdio: 'pipe' }));
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  expect(`${output}${child.exitCode === 0 ? '' : readFileSync(join(directory, 'n1.log'), 'utf8')}`).toMatch(/the page is done\n$/);
  for (const held of ['held over TLS', 'held with new certificates', 'held with certificates of the new authority']) expect(output).toContain(held);
  expect(output).not.toMatch(/DEP0123|Warning/);
});
