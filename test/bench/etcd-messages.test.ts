/** What the benchmark says to etcd by hand is what etcd's v3lock.proto says. */
import protobuf from 'protobufjs';
import { bytesField, keyIn, varint } from '../../bench/peers/clients/etcd';

const { root } = protobuf.parse(`
  syntax = "proto3";
  message LockRequest { bytes name = 1; int64 lease = 2; }
  message ResponseHeader { uint64 cluster_id = 1; uint64 member_id = 2; int64 revision = 3; uint64 raft_term = 4; }
  message LockResponse { ResponseHeader header = 1; bytes key = 2; }
`);

test('a request is read as it was meant', () => {
  const lease = 7_587_869_134_587_392_519n;
  const bytes = Buffer.concat([bytesField(1, Buffer.from('x'.repeat(300))), Buffer.from([2 << 3]), varint(lease)]);
  const type = root.lookupType('LockRequest');
  const { name, lease: told } = type.toObject(type.decode(bytes), { longs: String, bytes: String }) as { name: string; lease: string };
  expect(Buffer.from(name, 'base64').toString()).toBe('x'.repeat(300));
  expect(told).toBe(String(lease));
});

test('the key is found in an answer, behind its header', () => {
  const type = root.lookupType('LockResponse');
  const key = Buffer.from('a'.repeat(200));
  const header = { clusterId: 12_345, memberId: 1, revision: 99, raftTerm: 2 };
  expect(keyIn(Buffer.from(type.encode(type.create({ header, key })).finish())).toString()).toBe(key.toString());
  expect(keyIn(Buffer.from(type.encode(type.create({ key })).finish())).toString()).toBe(key.toString());
  expect(() => keyIn(Buffer.from(type.encode(type.create({ header })).finish()))).toThrow('no key');
});
