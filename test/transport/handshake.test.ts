import { status } from '@grpc/grpc-js';
import type { Hello } from '../../src/transport/codec';
import { lamportTimeMax, protocolVersion } from '../../src/transport/codec';
import { helloRefusal, isLasting, isRival } from '../../src/transport/handshake';
import type { Identity } from '../../src/transport/handshake';

const mine: Identity = { self: 'n1', cluster: 'prod', digest: 'aaaa', layout: 'l', leaseMs: 5_000, remembers: false, incarnation: 'i1', nodes: new Set(['n1', 'n2', 'n3']) };
const hello: Hello = {
  protocolVersion, node: 'n2', peer: 'n1', cluster: 'prod', digest: 'aaaa', clock: 5, incarnation: 'i2', silentForMs: 0,
  layout: 'l', remembers: false, hasMet: false, standing: 'none', leaseMs: 5_000, begins: 0, knowsClock: true,
};

describe('handshake', () => {
  test('nodes that agree may talk, whoever dialled', () => {
    expect(helloRefusal(hello, mine, null)).toBeNull();
    expect(helloRefusal(hello, mine, 'n2')).toBeNull();
    expect(helloRefusal({ ...hello, clock: lamportTimeMax }, mine, null)).toBeNull();
  });

  test.each<[string, Partial<Hello>, status, RegExp[]]>([
    ['version', { protocolVersion: 9 }, status.FAILED_PRECONDITION, [/n1 speaks 3/, /n2 speaks 9/]],
    ['cluster', { cluster: 'test' }, status.FAILED_PRECONDITION, [/n1 is in prod/, /n2 in test/]],
    ['digest', { digest: 'bbbb' }, status.FAILED_PRECONDITION, [/n1 has digest aaaa/, /n2 has bbbb/]],
    ['id', { node: 'n9' }, status.PERMISSION_DENIED, [/n9 is not a node of the configuration of n1/]],
    ['own id', { node: 'n1' }, status.PERMISSION_DENIED, [/n1 was dialled by a node that claims to be n1 too/]],
    ['peer', { peer: 'n3' }, status.PERMISSION_DENIED, [/n2 dialled n3, but n1 is here; check the address of n3/]],
    ['incarnation', { incarnation: '' }, status.INVALID_ARGUMENT, [/incarnation is missing/]],
    ['clock', { clock: 0 }, status.INVALID_ARGUMENT, [/clock is missing/]],
    ['clock', { clock: lamportTimeMax + 1 }, status.INVALID_ARGUMENT, [/clock is above/]],
  ])('a wrong %s is refused, and the reason names it on both sides', (_what, wrong, code, reasons) => {
    const refusal = helloRefusal({ ...hello, ...wrong }, mine, null);
    expect(refusal?.code).toBe(code);
    for (const reason of reasons) expect(refusal?.reason).toMatch(reason);
  });

  test('the version is compared first: of a newer one nothing else is understood', () => {
    const refusal = helloRefusal({ ...hello, protocolVersion: 2, cluster: '', digest: '', node: '', peer: '' }, mine, null);
    expect(refusal?.reason).toMatch(/protocol version differs/);
  });

  test('another node than the one that was dialled', () => {
    expect(helloRefusal({ ...hello, node: 'n3' }, mine, 'n2')).toMatchObject({
      code: status.PERMISSION_DENIED,
      reason: 'n1 dialled n2, but n3 answered; check the address of n2',
    });
  });

  test('text of a peer cannot spoil a status or a log', () => {
    const reason = helloRefusal({ ...hello, cluster: `\ud800\n${'x'.repeat(1_000)}` }, mine, null)?.reason ?? '';
    expect(reason).not.toMatch(/\n|\p{Surrogate}/u);
    expect(reason.length).toBeLessThan(300);
  });

  test('a node of another configuration is a rival only where it may lend votes for the same locks', () => {
    expect(isRival(hello, mine, 'n2')).toBe(false);
    expect(isRival({ ...hello, digest: 'bbbb' }, mine, 'n2')).toBe(true);
    for (const other of [{ cluster: 'test' }, { node: 'n3' }, { protocolVersion: protocolVersion + 1 }]) {
      expect(isRival({ ...hello, digest: 'bbbb', ...other }, mine, 'n2')).toBe(false);
    }
  });

  test('the same nodes and quorums with another lease: the refusal says that much', () => {
    expect(helloRefusal({ ...hello, digest: 'bbbb' }, mine, null)?.reason).toMatch(/\(nodes and quorums are\)$/);
    expect(helloRefusal({ ...hello, digest: 'bbbb', layout: 'm' }, mine, null)?.reason).toMatch(/on all nodes$/);
  });

  test('refusals that will not change by themselves are told from those that may', () => {
    const codes = [status.FAILED_PRECONDITION, status.PERMISSION_DENIED, status.INVALID_ARGUMENT, status.UNIMPLEMENTED];
    expect(codes.every(isLasting)).toBe(true);
    expect([status.UNAVAILABLE, status.ALREADY_EXISTS, status.DEADLINE_EXCEEDED, status.OK].some(isLasting)).toBe(false);
  });
});
