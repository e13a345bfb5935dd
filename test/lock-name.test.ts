import fc from 'fast-check';
import { NameCache, lockNameFault, readWtf8, writeWtf8 } from '../src/lock-name';
import { holds } from './support/holds';
import { lockName } from './transport/messages';

function bytesOf(name: string): Buffer {
  const bytes = Buffer.alloc(name.length * 3);
  return bytes.subarray(0, writeWtf8(bytes, 0, name));
}

describe('lock names: every string has exactly one byte form, and no other bytes are accepted', () => {
  test('any string comes back, lone surrogates too', () => {
    holds(fc.property(lockName, (name) => expect(readWtf8(bytesOf(name))).toBe(name)), 500);
  });

  test('where a string is well-formed the bytes are UTF-8', () => {
    holds(fc.property(fc.string({ unit: 'binary' }), (name) => expect(bytesOf(name)).toEqual(Buffer.from(name, 'utf8'))));
  });

  test('bytes that are read are those that would be written', () => {
    const surrogateHalf = fc.tuple(fc.constant(0xed), fc.integer({ min: 0xa0, max: 0xbf }), fc.integer({ min: 0x80, max: 0xbf }));
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.array(fc.oneof(surrogateHalf, fc.tuple(fc.nat({ max: 255 }))), { maxLength: 5 }).map((parts) => Uint8Array.from(parts.flat())),
    );
    holds(
      fc.property(anyBytes, (bytes) => {
        const name = readWtf8(bytes);
        if (name !== null) expect(bytesOf(name)).toEqual(Buffer.from(bytes));
      }),
      5_000,
    );
  });

  test('the cache reads what the decoder reads, also where names share a place', () => {
    const cache = new NameCache();
    const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 140 }), lockName.map(bytesOf), fc.uint8Array({ minLength: 2, maxLength: 2 }));
    holds(
      fc.property(fc.array(anyBytes, { maxLength: 20 }), (all) => {
        for (const bytes of [...all, ...all]) {
          const around = Buffer.concat([Buffer.from('before'), bytes, Buffer.from('after')]);
          expect(cache.read(around, 6, 6 + bytes.length)).toBe(readWtf8(bytes));
        }
      }),
      500,
    );
  });

  test('the cache keeps bytes of its own: neither a frame stays in memory for a name, nor does what happens to it matter', () => {
    const cache = new NameCache();
    const frame = Buffer.from('stock');
    expect(cache.read(frame, 0, 5)).toBe('stock');
    for (const name of ['stpDk', 'tools', 'stock']) {
      frame.write(name, 'latin1'); // 'stpDk' has the place of 'stock'
      expect(cache.read(frame, 0, 5)).toBe(name);
    }
  });

  test('a name of 4096 bytes is allowed, of 4097 not, and the fault says how long it is', () => {
    expect(lockNameFault('x'.repeat(4096))).toBeNull();
    expect(lockNameFault('x'.repeat(4097))).toMatch(/4097 bytes long; at most 4096/);
    expect(lockNameFault('\ud800'.repeat(1365))).toBeNull();
    expect(lockNameFault('\ud800'.repeat(1366))).toMatch(/4098 bytes/);
    expect(lockNameFault('🔒'.repeat(1025))).toMatch(/4100 bytes/);
  });
});
