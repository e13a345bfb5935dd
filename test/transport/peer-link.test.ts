import { status } from '@grpc/grpc-js';
import pino from 'pino';
import { FrameDecoder, encodeHello, protocolVersion } from '../../src/transport/codec';
import type { Hello } from '../../src/transport/codec';
import type { Refusal } from '../../src/transport/handshake';
import { PeerLink, linkTiming } from '../../src/transport/peer-link';
import type { PeerStream, StreamHandlers } from '../../src/transport/peer-stream';
import { release } from './peers';

/** A stream that goes nowhere. */
class FakeStream {
  handlers: StreamHandlers | null = null;
  readonly framesInFlight = 0;
  readonly remoteAddress = 'fake';
  readonly closed = Promise.resolve();
  readonly written: Buffer[] = [];
  readonly pause = (): void => undefined;
  readonly resume = (): void => undefined;
  ending: string | null = null;

  write(frame: Buffer): void {
    this.written.push(frame);
  }

  end({ reason }: Refusal): void {
    this.ending = reason;
  }

  cut(reason: string): void {
    this.ending = reason;
  }
}

const decoder = new FrameDecoder(new Set(['n1', 'n2']));
const unreachable: Refusal = { code: status.UNAVAILABLE, reason: 'connect ECONNREFUSED' };

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

function makeLink(random: () => number): { dials: FakeStream[]; link: PeerLink; changes: string[] } {
  const dials: FakeStream[] = [];
  const changes: string[] = [];
  const link = new PeerLink(
    'n2',
    {
      identity: { self: 'n1', cluster: 'c', digest: 'd', layout: 'l', leaseMs: 5_000, remembers: false, incarnation: 'i1', nodes: new Set(['n1', 'n2']) },
      decoder,
      timing: linkTiming,
      random,
      handlers: {
        message: () => undefined,
        peerUp: () => changes.push('up'),
        peerDown: (_peer, reason) => changes.push(`down: ${reason}`),
        namesake: (peer) => changes.push(`namesake at ${peer}`),
        clock: () => 1,
        clockMax: () => Infinity,
        clockRefused: () => undefined,
        silentForMs: () => 0,
        knowsClock: () => true,
        muteReason: () => null,
      },
      helloTo: () => encodeHello(hello),
      dial: () => {
        const stream = new FakeStream();
        dials.push(stream);
        return stream as unknown as PeerStream;
      },
      flushSoon: () => undefined,
    },
    pino({ level: 'silent' }),
  );
  link.start();
  return { dials, link, changes };
}

const hello: Hello = { protocolVersion, node: 'n2', peer: 'n1', cluster: 'c', digest: 'd', clock: 1, incarnation: 'i2', silentForMs: 0,
  layout: 'l', remembers: false, hasMet: false, standing: 'none', leaseMs: 5_000, begins: 0, knowsClock: true,
};

function answer(stream: FakeStream | undefined): void {
  stream?.handlers?.frame(encodeHello(hello));
}

/** The waits between dials that all end like this. */
function waits(dials: FakeStream[], count: number, end: Refusal): number[] {
  return Array.from({ length: count }, () => {
    const before = dials.length;
    dials.at(-1)?.handlers?.ended(end);
    const startMs = Date.now();
    while (dials.length === before) jest.advanceTimersByTime(1);
    return Date.now() - startMs;
  });
}

describe('peer link: dials again', () => {
  test('after waits that double up to a bound', () => {
    const { dials } = makeLink(() => 0);
    expect(waits(dials, 8, unreachable)).toEqual([50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
  });

  test('with jitter of up to a half, so that nodes do not dial in step', () => {
    const draws = [0.25, 0.5, 0.75, 0.998];
    const { dials } = makeLink(() => draws.shift() ?? 0);
    // 50 × 7/8, 100 × 3/4, 200 × 5/8, 400 × 0.501
    expect(waits(dials, 4, unreachable)).toEqual([43, 75, 125, 200]);
  });

  test('slowly after a refusal that will not change by itself', () => {
    const { dials } = makeLink(() => 0);
    expect(waits(dials, 2, { code: status.FAILED_PRECONDITION, reason: 'configuration differs' })).toEqual([10_000, 10_000]);
  });

  test('quickly again after it was connected', () => {
    const { dials } = makeLink(() => 0);
    waits(dials, 5, unreachable);
    answer(dials.at(-1));
    expect(waits(dials, 1, unreachable)).toEqual([50]);
  });

  test('no more once it is stopped', async () => {
    const { dials, link } = makeLink(() => 0);
    dials.at(-1)?.handlers?.ended(unreachable);
    await link.stop();
    jest.advanceTimersByTime(60_000);
    expect(dials).toHaveLength(1);
  });
});

describe('peer link: one stream is in use at a time', () => {
  /** The peer dials us. */
  function offered(link: PeerLink): FakeStream {
    const stream = new FakeStream();
    link.offer(stream as unknown as PeerStream, hello);
    return stream;
  }

  test('another one waits unanswered, and is taken the moment the one in use ends', () => {
    const { dials, link, changes } = makeLink(() => 0);
    answer(dials[0]);
    const waiting = offered(link);
    expect(waiting.written).toEqual([]);
    dials[0]?.handlers?.ended(unreachable);
    expect(waiting.written).toHaveLength(1);
    expect(changes).toEqual(['up', 'down: connect ECONNREFUSED', 'up']);
    jest.advanceTimersByTime(60_000);
    expect(dials).toHaveLength(1);
  });

  test('one that comes later takes the place of one that waits', () => {
    const { dials, link } = makeLink(() => 0);
    answer(dials[0]);
    const [earlier, later] = [offered(link), offered(link)];
    expect([earlier.ending, later.ending]).toEqual([expect.stringMatching(/later stream/) as string, null]);
  });

  test('what was meant for one that ended is not sent on the next', () => {
    const { dials, link } = makeLink(() => 0);
    answer(dials[0]);
    link.send(release(1));
    dials[0]?.handlers?.ended(unreachable);
    const next = offered(link);
    link.send(release(2));
    link.flush();
    expect(decoder.decode(next.written[1] ?? Buffer.alloc(0))).toEqual({ kind: 'messages', messages: [release(2)] });
  });
});

describe('peer link: a peer that comes and goes', () => {
  test('is taken once a tick: all that is open is repeated to it each time', () => {
    const { dials, link, changes } = makeLink(() => 0);
    dials[0]?.handlers?.ended(unreachable);
    for (let tick = 0; tick < 3; tick++) {
      for (let time = 0; time < 10; time++) {
        const stream = new FakeStream();
        link.offer(stream as unknown as PeerStream, hello);
        stream.handlers?.ended(unreachable);
      }
      link.tick();
    }
    expect(changes.filter((change) => change === 'up')).toHaveLength(3);
  });

  test('one that stays is taken at the next tick', () => {
    const { dials, link, changes } = makeLink(() => 0);
    dials[0]?.handlers?.ended(unreachable);
    const [first, second] = [new FakeStream(), new FakeStream()];
    link.offer(first as unknown as PeerStream, hello);
    first.handlers?.ended(unreachable);
    link.offer(second as unknown as PeerStream, hello);
    expect(changes.at(-1)).toBe('down: connect ECONNREFUSED');
    link.tick();
    expect([changes.at(-1), second.written.length]).toEqual(['up', 1]);
  });
});

describe('peer link: another process has the id of this node', () => {
  const refused: Refusal = { code: status.ALREADY_EXISTS, reason: 'ids must be unique' };

  test('that is told each time the peer says so, and the peer is dialled again', () => {
    const { dials, changes } = makeLink(() => 0);
    expect(waits(dials, 2, refused)).toEqual([50, 100]);
    expect(changes).toEqual(['namesake at n2', 'namesake at n2']);
    answer(dials.at(-1));
    expect(changes.at(-1)).toBe('up');
  });

  test('what this node says in a handshake is said anew: the stream ends, and the peer is dialled again', () => {
    const { dials, link, changes } = makeLink(() => 0);
    link.greetAgain('silent');
    expect(changes).toEqual([]);
    answer(dials.at(-1));
    link.greetAgain('silent');
    expect([dials[0]?.ending, changes]).toEqual(['silent', ['up', 'down: silent']]);
    jest.advanceTimersByTime(50);
    expect(dials).toHaveLength(2);
  });
});

describe('peer link: signs of life', () => {
  test('one every half second while nothing else is sent', () => {
    const { dials, link } = makeLink(() => 0);
    const [stream] = dials;
    answer(stream);
    for (let tick = 0; tick < 4; tick++) link.tick();
    expect(stream?.written.slice(1)).toEqual([Buffer.alloc(0), Buffer.alloc(0)]);
  });

  test('a peer is dead after seven ticks of silence, and not a tick before, whatever time they took', () => {
    const { dials, link, changes } = makeLink(() => 0);
    answer(dials[0]);
    jest.setSystemTime(Date.now() + 3_600_000); // this very process was frozen: nobody else's fault
    for (let tick = 0; tick < 6; tick++) link.tick();
    dials[0]?.handlers?.frame(Buffer.alloc(0));
    for (let tick = 0; tick < 6; tick++) link.tick();
    expect(changes).toEqual(['up']);
    link.tick();
    expect(changes).toEqual(['up', 'down: silent for 1.75 s']);
    expect(dials[0]?.ending).toMatch(/silent/);
  });
});
