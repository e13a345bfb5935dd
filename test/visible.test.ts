/** Foreign text in every printer. What steers a terminal comes out as an escape, and no line is forged. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Interface } from 'node:readline';
import { NodeConsole } from '../src/cli/node-console';
import { teller } from '../src/cli/lock-report';
import { terminalLine } from '../src/cli/node-log';
import { describeUse, lockTitle } from '../src/cli/holders';
import { complain, complainJson, printJson, printText } from '../src/cli/print';
import { createProgram } from '../src/cli/program';
import { formatTable } from '../src/cli/table';
import { parseConfiguration } from '../src/config';
import { holderTitle } from '../src/locks/holder-title';
import { jsonLine } from '../src/log';
import { visible, visibleLines } from '../src/visible';

const EVIL = '\x1b[31m\x07a\nn9  forged\r\b\x7f\u009bm\u009d0;t\u009c\u2028b\u2029\u202ec\u2066d\u200fe\u061c\0';
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** All that was written while `act` ran. */
async function written(act: () => unknown): Promise<string> {
  let text = '';
  const spies = [process.stdout, process.stderr].map((stream) =>
    jest.spyOn(stream, 'write').mockImplementation((chunk) => {
      text += chunk.toString();
      return true;
    }));
  try {
    await act();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return text;
}

function expectHarmless(text: string, lines = 1): void {
  expect(text).toContain('forged');
  const parts = text.replace(/\n$/, '').split('\n');
  expect(parts.filter((part) => STEERING.test(part))).toEqual([]);
  expect(parts).toHaveLength(lines);
}

test('other text comes out as it is', () => {
  for (const text of ['', 'deploy 7, 語 👩‍💻', 'C:\\n', 'a "b"']) expect(visible(text)).toBe(text);
  expect(visibleLines('a\nb\tc')).toBe('a\nb\\u0009c');
});

test('a holder is its client id, and its label if it has one', () => {
  expect(holderTitle({ clientId: 'n1' })).toBe('n1');
  expect(holderTitle({ clientId: 'n1/3', label: 'deploy 7' })).toBe('n1/3 (deploy 7)');
  expect(holderTitle({ clientId: 'n1/3', label: '\x1b[2Ja\nb\x7f\u009bc\u2028d\u202ee' })).toBe('n1/3 (\\u001b[2Ja\\u000ab\\u007f\\u009bc\\u2028d\\u202ee)');
  expectHarmless(holderTitle({ clientId: EVIL, label: EVIL }));
});

test('a name, a use, and a cell of a table are on one line', () => {
  expectHarmless(lockTitle(EVIL));
  expectHarmless(describeUse([{ name: 'a', clientId: 'n1', mode: 'exclusive', forMs: 1, label: EVIL }], 0));
  expectHarmless(formatTable(['A', 'B'], [['x', EVIL]]), 2);
});

test('JSON is harmless to look at, and the same for programs', async () => {
  for (const print of [printJson, complainJson]) {
    const text = await written(() => print({ text: EVIL }));
    expectHarmless(text);
    expect(JSON.parse(text)).toEqual({ text: EVIL });
  }
});

test('a log of JSON lines and one for people', () => {
  const entry = { level: 'warn', message: EVIL, fields: { lock: EVIL, error: undefined } } as const;
  expectHarmless(jsonLine(entry, 0));
  expect(JSON.parse(jsonLine(entry, 0))).toMatchObject({ msg: EVIL, lock: EVIL });
  // eslint-disable-next-line no-control-regex -- its own colours
  const plain = (text: string): string => text.replace(/\x1b\[\d+m/g, '');
  expectHarmless(plain(terminalLine(entry, new Date())));
  const withError = plain(terminalLine({ level: 'error', message: 'x', fields: { error: new Error(EVIL) } }, new Date()));
  expect(withError.split('\n').filter((line) => STEERING.test(line) || /^\S*n9/.test(line))).toEqual([]);
});

test('what is said to people: every happening of maekawa lock, and errors', async () => {
  const tell = teller(EVIL, { verbose: true });
  const lock = { name: EVIL, clientId: EVIL, mode: 'exclusive', forMs: 1, label: EVIL } as const;
  expectHarmless(await written(() => tell({ event: 'waiting', for: EVIL, held: [lock], others: 0, ahead: [] })));
  expectHarmless(await written(() => tell({ event: 'waiting', for: EVIL, held: [], others: 0, ahead: [EVIL] })));
  for (const event of ['released', 'unanswered'] as const) expectHarmless(await written(() => tell({ event })));
  expectHarmless(await written(() => tell({ event: 'held', token: 1, validForMs: 1 })));
  for (const print of [complain, printText]) expectHarmless(await written(() => print(visible(EVIL))));
  const json = teller(EVIL, { json: true });
  expectHarmless(await written(() => json({ event: 'warning', text: EVIL })));
});

test('a wrong option or command', async () => {
  const text = await written(() => createProgram().parseAsync(['who', `--${EVIL}`], { from: 'user' }).catch(() => undefined));
  expect(text.split('\n').filter((part) => STEERING.test(part))).toEqual([]);
});

test('the faults of a configuration', () => {
  const faulty = { [EVIL]: 1, nodes: [{ id: EVIL, address: EVIL }], quorums: { family: EVIL } };
  expect.assertions(2);
  try {
    parseConfiguration(faulty, EVIL);
  } catch (error) {
    expect((error as Error).message.split('\n').filter((line) => STEERING.test(line))).toEqual([]);
    expect((error as Error).message.split('\n').filter((line) => !line.startsWith('  '))).toHaveLength(1);
  }
});

test('the console of a node', async () => {
  const status = { cluster: 'c', uptimeMs: 1, clock: 1, entries: 0, peers: [{ id: 'n2', address: 'a', up: false, reason: EVIL }], locks: [{ name: EVIL, grants: [], queue: [], callers: null }], state: { text: EVIL }, notices: [EVIL] };
  let typed: (line: string) => void = () => undefined;
  const terminal = { on: (_: string, listener: typeof typed) => (typed = listener), prompt: () => undefined } as unknown as Interface;
  const node = { id: 'n1', signal: new AbortController().signal, status: () => status } as unknown as ConstructorParameters<typeof NodeConsole>[0];
  new NodeConsole(node, terminal, () => undefined).start();
  const text = await written(() => typed('status'));
  expectHarmless(text.replace('\r\x1b[K', ''), 5);
});

test('nothing of the command line writes past the printers', () => {
  const folder = join(__dirname, '../src/cli');
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts') && file !== 'print.ts');
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => /process\.std(out|err)\.write\(/.test(readFileSync(join(folder, file), 'utf8')))).toEqual([]);
});
