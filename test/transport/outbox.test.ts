import { FrameDecoder } from '../../src/transport/codec';
import type { Frame } from '../../src/transport/codec';
import { Outbox, outboxBytesMax } from '../../src/transport/outbox';
import { release } from './peers';

const decoder = new FrameDecoder(new Set(['n1']));

function frames(outbox: Outbox): Frame[] {
  const all: Frame[] = [];
  for (let bytes = outbox.next(); bytes !== null; bytes = outbox.next()) all.push(decoder.decode(bytes));
  return all;
}

describe('outbox: what waits for one peer', () => {
  test('one frame for what came before it was asked', () => {
    const outbox = new Outbox();
    for (let i = 0; i < 3; i++) outbox.add(release(i));
    expect(frames(outbox)).toEqual([{ kind: 'messages', messages: [release(0), release(1), release(2)] }]);
    outbox.add(release(3));
    expect(frames(outbox)).toEqual([{ kind: 'messages', messages: [release(3)] }]);
    expect(outbox.next()).toBeNull();
  });

  test('is bounded: the newest are dropped, the others come in order, in frames that a peer accepts', () => {
    const outbox = new Outbox();
    let accepted = 0;
    while (outbox.add(release(accepted, 'x'.repeat(4096)))) accepted++;
    expect(outbox.add(release(accepted))).toBe(false);
    expect(outbox.byteLength).toBeLessThan(outboxBytesMax + 5_000);
    const messages = frames(outbox).flatMap((frame) => (frame.kind === 'messages' ? frame.messages : []));
    expect(messages.map(({ timestamp }) => timestamp)).toEqual(Array.from({ length: accepted }, (_, i) => i + 1));
    expect(outbox.byteLength).toBe(0);
    expect(outbox.add(release(1))).toBe(true);
  });

  test('is empty once cleared', () => {
    const outbox = new Outbox();
    for (let i = 0; i < 5_000; i++) outbox.add(release(i, 'a name of some length'));
    outbox.clear();
    expect(outbox.byteLength).toBe(0);
    expect(outbox.next()).toBeNull();
  });
});
