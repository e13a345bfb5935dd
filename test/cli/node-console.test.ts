/** What can be typed at a node on a terminal, without a terminal. */
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { NodeConsole } from '../../src/cli/node-console';
import type { MaekawaNode } from '../../src';
import { startNode } from '../../src';
import { until } from '../support/processes';

let node: MaekawaNode;
let typed: PassThrough;
let said: string;
let quits: number;

beforeEach(async () => {
  const config = { cluster: 'test', nodes: [{ id: 'n1', address: '127.0.0.1:1' }], quorums: { family: 'majority' }, leaseMs: 500 };
  node = await startNode({ id: 'n1', config, listen: '127.0.0.1:0', ephemeral: true, firstStart: true });
  said = '';
  quits = 0;
  jest.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    said += String(chunk).replaceAll('\r\x1b[K', '');
    return true;
  });
  typed = new PassThrough();
  new NodeConsole(node, createInterface({ input: typed, output: new PassThrough() }), () => quits++).start();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await node.stop();
});

async function type(line: string, answer: RegExp): Promise<void> {
  said = '';
  typed.write(`${line}\n`);
  await until(() => answer.test(said), () => `${answer} in:\n${said}`);
}

test('lock, status and unlock', async () => {
  await type('lock invoices', /^you hold invoices, token \d+ \(after \d+ ms\)$/m);
  await type('lock invoices', /^you hold invoices or wait for it already; unlock it first$/m);
  await type('status', /^n1 of cluster test, up \d+ s, Lamport time \d+, 1 entry\n {2}a lock can be had here, and it lends its vote\n {2}invoices: vote lent to n1 \(exclusive\), 0 waiting; own request: held$/m);
  await type('unlock invoices', /^gave invoices back$/m);
  await type('unlock invoices', /^you neither hold invoices nor wait for it$/m);
});

test('a name that would steer the terminal is shown as text', async () => {
  const held = await node.locks.acquire('\x1b[2J\u009b2J');
  await type('status', /^ {2}"\\u001b\[2J\\u009b2J": vote lent to n1/m);
  held.release();
});

test('a lock that another holds is waited for, until it is unlocked', async () => {
  const held = await node.locks.acquire('invoices');
  await type('lock invoices shared', /^waiting for invoices …$/m);
  await type('unlock invoices', /^no longer waiting for invoices$/m);
  held.release();
  await type('lock invoices shared', /^you hold invoices/m);
});

test('what is not understood is answered with what is', async () => {
  await type('help', /lock NAME \[shared\]/);
  await type('lock', /^lock what\? Give a name: lock invoices$/m);
  await type('unlock', /^unlock what\?/m);
  await type('lock a b', /^write shared or nothing after the name, not b$/m);
  await type('frob', /^there is no command frob\. The commands are:\n {2}lock NAME/m);
  typed.write('quit\n');
  await until(() => quits === 1, 'quit');
});
