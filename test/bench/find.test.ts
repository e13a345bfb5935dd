import { join } from 'node:path';
import { commandsFor, install, isReady, look, PEERS } from '../../bench/peers/find';
import type { Finding } from '../../bench/peers/find';
import { ROOT } from '../../scripts/report/root';

const server = { version: 'Some 1.2', start: () => Promise.reject(new Error('not started by a test')) };
const npm = `npm ci --prefix ${join(ROOT, 'bench/peers')}`;

test('nothing is asked for when nothing is missing', () => {
  const finding: Finding = { server, packages: { ioredis: '6.0.0' } };
  expect(isReady(finding)).toBe(true);
  expect(commandsFor({ redis: finding }, true)).toEqual([]);
});

test('one command brings all servers that are missing, and another the client libraries', () => {
  const findings = { redis: { server: null, packages: { ioredis: '6.0.0', redlock: null } }, etcd: { server: null, packages: {} }, postgres: { server, packages: {} } };
  expect(Object.values(findings).map(isReady)).toEqual([false, false, true]);
  expect(commandsFor(findings, true)).toEqual(['apt-get install --no-install-recommends redis-server etcd-server', npm]);
  expect(commandsFor(findings, false)[0]).toBe('sudo apt-get install --no-install-recommends redis-server etcd-server');
});

test('a server without its client library does not take part', () => {
  expect(isReady({ server, packages: { ioredis: null } })).toBe(false);
});

test('nothing is installed in CI', () => {
  expect(() => install(['exit 3'], { CI: 'true' })).toThrow('--install does nothing in CI');
  expect(() => install(['exit 3'], { PATH: process.env['PATH'] ?? '' })).toThrow('this failed: exit 3');
});

test('a machine without a peer is told from one with it', () => {
  const { PATH } = process.env;
  process.env['PATH'] = '/nowhere';
  try {
    expect(look(PEERS.redis).server).toBeNull();
    expect(look(PEERS.etcd).server).toBeNull();
  } finally {
    process.env['PATH'] = PATH;
  }
});
