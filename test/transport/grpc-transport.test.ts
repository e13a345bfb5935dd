import { encodeGoodbye, frameBytesMax } from '../../src/transport/codec';
import { until } from '../support/processes';
import { Peer, Proxy, RawPeer, helloOf, pair, release, stopAll } from './peers';

afterEach(stopAll);

const MAX_CLOCK = 1_000_000;

describe('transport: connects', () => {
  test('both sides learn that the other is up, its clock, and for how long it is silent', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    n1.clock = 2 ** 52;
    n2.silentForMs = 4_321;
    n1.start({ n2 });
    n2.start({ n1 });
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
    expect(n2.clocks.get('n1')).toBe(2 ** 52);
    expect(n1.silences.get('n2')).toBe(4_321);
    expect(n1.changes).toEqual(['up n2']);
  });

  test('where only one of the two can dial', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    n1.start();
    n2.start({ n1 });
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
    n1.send('n2', release(1));
    await until(() => n2.messages.length === 1, 'the message');
  });

  test('names are resolved', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    n1.start();
    n2.start({ n1: { address: n1.address.replace('127.0.0.1', 'localhost') } });
    await n1.untilUp('n2');
  });

  test('one stream is in use when both dial; the other one ends', async () => {
    for (let round = 0; round < 5; round++) {
      const n1 = await new Peer('n1').listen();
      const n2 = await new Peer('n2').listen();
      const toN1 = await Proxy.to(n1);
      const toN2 = await Proxy.to(n2);
      n1.start({ n2: toN2 });
      n2.start({ n1: toN1 });
      await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
      await until(() => toN1.connections + toN2.connections === 1, 'one of the two streams to end');
      expect(n1.changes).toEqual(['up n2']);
      expect(n2.changes).toEqual(['up n1']);
      n1.send('n2', release(1));
      n2.send('n1', release(2));
      await until(() => n1.messages.length === 1 && n2.messages.length === 1, 'a message each way');
      await stopAll();
    }
  });

  test('a peer that is not running yet is found when it starts', async () => {
    const n2 = await new Peer('n2').listen();
    const n1 = await new Peer('n1').listen();
    n1.start({ n2 });
    await n1.untilDown('n2', /n2 is starting/);
    n2.start();
    await n1.untilUp('n2');
  });
});

describe('transport: carries messages', () => {
  test('in order, whatever turns of the event loop they were sent in', async () => {
    const [n1, n2] = await pair();
    const count = 5_000;
    for (let sent = 0; sent < count; ) {
      for (let i = 0; i < 1 + (sent % 97) && sent < count; i++) n1.send('n2', release(sent++));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => n2.messages.length === count, 'all messages');
    expect(n2.messages.map(({ from }) => from)).toEqual(Array(count).fill('n1'));
    expect(n2.messages.map(({ message }) => message.timestamp)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  });

  test('messages of one turn, for any locks, travel in one frame', async () => {
    const n1 = (await new Peer('n1').listen()).start();
    const raw = await RawPeer.connected(n1);
    const messages = Array.from({ length: 100 }, (_, i) => release(i, `lock ${i % 7}`));
    n1.send('n2', ...messages);
    await until(() => raw.received.length === 100, 'the messages');
    expect(raw.framesOfMessages).toEqual([messages]);
  });

  test.each<[string, (raw: RawPeer) => void]>([
    ['it says goodbye', (raw) => raw.send(encodeGoodbye('enough'))],
    ['it closes its side', (raw) => raw.call.end()],
    ['it goes away', (raw) => raw.call.cancel()],
    ['it breaks a rule', (raw) => raw.send(Buffer.from('garbage'))],
  ])('a frame of many takes several turns of the event loop, in order, also if then %s', async (_what, ends) => {
    const n1 = (await new Peer('n1').listen()).start();
    const raw = await RawPeer.connected(n1);
    let turns = 0;
    let isSameTurn = false;
    let mostInATurn = 0;
    let inThisTurn = 0;
    n1.onMessage = () => {
      if (!isSameTurn) {
        isSameTurn = true;
        turns++;
        inThisTurn = 0;
        setImmediate(() => (isSameTurn = false));
        if (turns === 2) ends(raw);
      }
      mostInATurn = Math.max(mostInATurn, ++inThisTurn);
    };
    const count = 4_000; // nearly as many as a frame holds
    raw.sendFrame(Array.from({ length: count }, (_, i) => release(i)));
    await until(() => n1.changes.length === 2, 'the end of the stream');
    expect(n1.messages.map(({ message }) => message.timestamp)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(mostInATurn).toBeLessThan(1_000);
  });

  test('what is said in answer, in the same turn, travels in one frame too', async () => {
    const n1 = (await new Peer('n1').listen()).start();
    n1.onMessage = (from, message) => n1.send(from, message);
    const raw = await RawPeer.connected(n1);
    raw.sendFrame(Array.from({ length: 50 }, (_, i) => release(i)));
    await until(() => raw.received.length === 50, 'the answers');
    expect(raw.framesOfMessages).toHaveLength(1);
  });

  test('to a peer that is down, or before the start: dropped', async () => {
    const starting = await new Peer('n1').listen();
    starting.send('n2', release(1));
    const n1 = starting.start();
    n1.send('n2', release(1));
    const n2 = (await new Peer('n2').listen()).start({ n1 });
    await n1.untilUp('n2');
    n1.send('n2', release(2));
    await until(() => n2.messages.length > 0, 'the second');
    expect(n2.messages.map(({ message }) => message)).toEqual([release(2)]);
  });

  test('to a peer that does not read: bounded, the rest is dropped, and it goes on when the peer reads again', async () => {
    // However long that takes, it is not about the peer's silence.
    const n1 = (await new Peer('n1', { timing: { silentTicksMax: Infinity } }).listen()).start();
    const raw = await RawPeer.connected(n1);
    raw.call.pause();
    const name = 'x'.repeat(1_000);
    let sent = 0;
    await until(() => {
      for (let i = 0; i < 1_000; i++) n1.send('n2', release(sent++, name));
      return (n1.status('n2')?.droppedMessages ?? 0) > 5_000;
    }, 'messages to be dropped');
    const dropped = n1.status('n2')?.droppedMessages ?? 0;
    // What gRPC, HTTP/2 and the kernel hold on their way comes to a few MiB; the outbox to eight more.
    expect((sent - dropped) * name.length).toBeLessThan(20 * 2 ** 20);
    raw.call.resume();
    await until(() => raw.received.length === sent - dropped, 'those that were not dropped');
    n1.send('n2', release(sent));
    await until(() => raw.received.at(-1)?.timestamp === sent + 1, 'one more');
  });
});

describe('transport: notices that a peer is gone', () => {
  test('when it stops: at once, and why', async () => {
    const [n1, n2] = await pair();
    await n2.stop();
    await until(() => n1.changes.includes('down n2: n2 is shutting down'), `the news; ${n1.changes.join('; ')}`);
  });

  // The one that dialled, and the one that was dialled.
  test.each([[0, 1], [1, 0]] as const)('what was sent before a stop still arrives, and then the goodbye', async (one, other) => {
    const nodes = await pair();
    const [stops, stays] = [nodes[one], nodes[other]];
    stays.onMessage = () => stays.changes.splice(0, Infinity, String(stays.messages.length));
    // More than the frames that may be on their way at once, and more than are handled in one turn.
    for (let i = 0; i < 15_000; i++) stops.send(stays.id, release(i));
    await stops.stop();
    await stays.untilDown(stops.id, /shutting down|ECONNREFUSED/);
    expect(stays.changes).toEqual(['15000', `down ${stops.id}: ${stops.id} is shutting down`]);
    expect(stays.messages.map(({ message }) => message.timestamp)).toEqual(Array.from({ length: 15_000 }, (_, i) => i + 1));
  });

  test('when the connection breaks: both sides', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    const toN1 = await Proxy.to(n1);
    n1.start();
    n2.start({ n1: toN1 });
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
    await toN1.stop();
    await until(() => n1.changes.length === 2 && n2.changes.length === 2, 'the news on both sides');
  });

  test('when it freezes, or the network swallows everything: both sides, by keepalive', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    const toN1 = await Proxy.to(n1);
    n1.start();
    n2.start({ n1: toN1 });
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
    toN1.freeze();
    await until(() => n1.changes.length === 2 && n2.changes.length === 2, 'the news on both sides');
    expect(n1.changes).toEqual(['up n2', 'down n2: silent for 1.75 s']);
    expect(n2.changes).toEqual(['up n1', 'down n1: silent for 1.75 s']);
    toN1.thaw();
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
  });

  test('a peer with nothing to say stays connected', async () => {
    const timing = { tickMs: 20 };
    const [n1, n2] = await pair({ timing });
    await new Promise((resolve) => setTimeout(resolve, 20 * 7 * 5)); // several times the silence that is allowed
    expect([n1.changes, n2.changes]).toEqual([['up n2'], ['up n1']]);
  });

  test('a peer that answers no dial is given up, and dialled again', async () => {
    const n2 = await new Peer('n2').listen();
    const toN2 = await Proxy.to(n2);
    toN2.freeze();
    const n1 = (await new Peer('n1', { timing: { tickMs: 50 } }).listen()).start({ n2: toN2 });
    n2.start();
    await n1.untilDown('n2', /does not answer/);
    toN2.thaw();
    await n1.untilUp('n2');
  });

  test('a peer that can dial us and answers no dial of ours is connected', async () => {
    const n1 = await new Peer('n1', { timing: { tickMs: 50 } }).listen();
    const n2 = await new Peer('n2').listen();
    const toN2 = await Proxy.to(n2);
    toN2.freeze();
    n1.start({ n2: toN2 });
    n2.start({ n1 });
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
  });

  test('a restarted peer is connected again', async () => {
    const [n1, n2] = await pair();
    await n2.stop();
    await n1.untilDown('n2', /shutting down|ECONNREFUSED/);
    const again = (await new Peer('n2').listen(Number(n2.address.split(':')[1]))).start();
    await n1.untilUp('n2');
    n1.send('n2', release(7));
    await until(() => again.messages.length === 1, 'a message');
  });
});

describe('transport: whoever breaks the protocol loses its stream, with a reason, and the node goes on', () => {
  let n1: Peer;
  let n3: Peer;

  beforeEach(async () => {
    n1 = await new Peer('n1').listen();
    n1.clockMax = MAX_CLOCK;
    n3 = await new Peer('n3').listen();
    n1.start({ n3 });
    n3.start({ n1 });
    await Promise.all([n1.untilUp('n3'), n3.untilUp('n1')]);
  });
  afterEach(async () => {
    expect(n1.changes.filter((change) => change.includes('n3'))).toEqual(['up n3']);
    n3.send('n1', release(1));
    await until(() => n1.messages.some(({ from }) => from === 'n3'), 'a message of an honest node');
  });

  test.each<[string, Buffer, string, RegExp]>([
    ['garbage', Buffer.from('\xff\xfe garbage', 'latin1'), 'INVALID_ARGUMENT', /./],
    ['messages', Buffer.from([0x12, 0]), 'INVALID_ARGUMENT', /./],
    ['an empty frame', Buffer.alloc(0), 'INVALID_ARGUMENT', /first frame is not a hello/],
    ['more than a frame may have', Buffer.alloc(frameBytesMax + 1), 'RESOURCE_EXHAUSTED', /131073/],
    ['far more than that', Buffer.alloc(8 * 2 ** 20), 'RESOURCE_EXHAUSTED', /./],
    ['another version', helloOf({ protocolVersion: 99 }), 'FAILED_PRECONDITION', /n1 speaks 3, n2 speaks 99/],
    ['another cluster', helloOf({ cluster: 'prod' }), 'FAILED_PRECONDITION', /n1 is in test, n2 in prod/],
    ['another configuration', helloOf({ digest: 'digest-2' }), 'FAILED_PRECONDITION', /n1 has digest digest-1, n2 has digest-2/],
    ['a node that is not of the configuration', helloOf({ node: 'mallory' }), 'PERMISSION_DENIED', /mallory is not a node/],
    ['the very node', helloOf({ node: 'n1' }), 'PERMISSION_DENIED', /claims to be n1 too/],
    ['a hello for another node', helloOf({ peer: 'n3' }), 'PERMISSION_DENIED', /n2 dialled n3, but n1 is here/],
    ['a clock that would use up everybody’s', helloOf({ clock: 2 ** 53 }), 'INVALID_ARGUMENT', /clock is above/],
    ['a clock that is not believed', helloOf({ clock: MAX_CLOCK + 1 }), 'FAILED_PRECONDITION', /^the clock of n2 is further ahead of the clocks of n1 than a day and 32 leases/],
    ['no incarnation', helloOf({ incarnation: '' }), 'INVALID_ARGUMENT', /incarnation/],
    ['an id that would spoil a log', helloOf({ node: 'n2\n\x1b[31mroot' }), 'PERMISSION_DENIED', /"n2\\n\\u001b\[31mroot" is not a node/],
  ])('first: %s', async (_what, bytes, code, reason) => {
    const raw = new RawPeer(n1.address);
    raw.send(bytes);
    const end = await raw.end();
    expect(end).toMatchObject({ code });
    expect(end.reason).toMatch(reason);
    expect(n1.messages).toEqual([]);
  });

  test.each<[string, Buffer, string, RegExp]>([
    ['garbage', Buffer.from('garbage'), 'INVALID_ARGUMENT', /./],
    ['a second hello', helloOf({}), 'INVALID_ARGUMENT', /a second hello/],
    ['more than a frame may have', Buffer.alloc(frameBytesMax + 1), 'RESOURCE_EXHAUSTED', /131073/],
    ['a valid message and a bad one in one frame', Buffer.from([0x12, 20, 0x1a, 18, 0x11, 9, 0, 0, 0, 0, 0, 0, 0, 0x19, 5, 0, 0, 0, 0, 0, 0, 0, 0x12, 0]), 'INVALID_ARGUMENT', /./],
  ])('after the handshake: %s', async (_what, bytes, code, reason) => {
    const raw = await RawPeer.connected(n1);
    await n1.untilUp('n2');
    raw.send(bytes);
    const end = await raw.end();
    expect(end).toMatchObject({ code });
    expect(end.reason).toMatch(reason);
    await until(() => n1.changes.at(-1)?.startsWith('down n2'), 'n2 to be down');
    expect(n1.messages).toEqual([]);
  });

  test('after the handshake: a clock that is not believed, in the last of many messages, and none of them counts', async () => {
    const raw = await RawPeer.connected(n1);
    raw.sendFrame([release(1), release(2), { ...release(3), clock: MAX_CLOCK + 1 }]);
    expect(await raw.end()).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(n1.messages).toEqual([]);
  });

  test('no hello at all', async () => {
    const raw = new RawPeer(n1.address);
    expect(await raw.end()).toMatchObject({ code: 'DEADLINE_EXCEEDED', reason: 'no hello came' });
  });

  test('a hello, again and again, and never a second frame: nothing piles up', async () => {
    const raws = Array.from({ length: 30 }, (_, i) => {
      const raw = new RawPeer(n1.address);
      raw.send(helloOf({ incarnation: `i${i}` }));
      return raw;
    });
    await until(() => raws.filter((raw) => raw.status === null).length <= 1, 'all but one to be refused');
  });

  test('somebody who claims the id of a node that is connected', async () => {
    const raw = new RawPeer(n1.address);
    raw.send(helloOf({ node: 'n3' }));
    const end = await raw.end();
    expect(end).toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(end.reason).toMatch(/another process is connected to n1 as n3; ids must be unique/);
  });
});

describe('transport: refused peers', () => {
  test('both sides name both values, and neither takes the other for up', async () => {
    const n1 = await new Peer('n1', { digest: 'layout-a' }).listen();
    const n2 = await new Peer('n2', { digest: 'layout-b' }).listen();
    n1.start({ n2 });
    n2.start({ n1 });
    const bothValues = /layout-a.*layout-b|layout-b.*layout-a/;
    await Promise.all([n1.untilDown('n2', bothValues), n2.untilDown('n1', bothValues)]);
    expect([n1.changes, n2.changes]).toEqual([[], []]);
  });

  test('of two processes with one id, each connected to another peer, both are told', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    n1.start();
    n2.start();
    const one = (await new Peer('n3').listen()).start({ n1 });
    const other = (await new Peer('n3').listen()).start({ n2 });
    await Promise.all([n1.untilUp('n3'), n2.untilUp('n3')]);
    one.moves('n2', n2);
    other.moves('n1', n1);
    await until(() => one.changes.includes('namesake at n2'), 'the one to be told');
    await until(() => other.changes.includes('namesake at n1'), 'the other to be told');
  });

  test('a clock that is not believed: where this node dialled, it notes what was told', async () => {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2').listen();
    n1.clockMax = MAX_CLOCK;
    n2.clock = MAX_CLOCK + 3 * 3_600_000_000;
    n1.start({ n2 });
    n2.start({ n1 });
    await n1.untilDown('n2', /^the clock of n2 is further ahead of the clocks of n1 than a day and 32 leases, by 3\.0 hours more/);
    await n2.untilDown('n1', /^the clock of n2 is further ahead/);
    expect(n1.dials).toContain(`n2 tells clock ${n2.clock}`);
    expect(n2.dials.filter((dial) => dial.includes('clock'))).toEqual([]);
    n1.clockMax = n2.clock;
    n1.probe();
    await n1.untilUp('n2');
  });

  test('an address where another node answers is named', async () => {
    const n3 = await new Peer('n3').listen();
    const n1 = await new Peer('n1').listen();
    n3.start();
    n1.start({ n2: n3 });
    await n1.untilDown('n2', /n1 dialled n2, but n3 is here|check the address of n2/);
  });

  test('a restarted peer takes the place of its earlier life, whose connection nobody closed', async () => {
    const n1 = (await new Peer('n1').listen()).start();
    const toN1 = await Proxy.to(n1);
    const before = (await new Peer('n2').listen()).start({ n1: toN1 });
    await n1.untilUp('n2');
    toN1.freeze();
    const after = (await new Peer('n2').listen()).start({ n1 });
    await until(() => {
      n1.send('n2', release(1));
      return after.messages.length > 0;
    }, 'a message');
    expect(before.messages).toEqual([]);
    expect(n1.changes.slice(0, 3)).toEqual(['up n2', expect.stringMatching(/^down n2/) as string, 'up n2']);
  });
});

describe('transport: nodes of another configuration (protocol.md section 17.1)', () => {
  async function strangers(): Promise<[Peer, Peer]> {
    const n1 = await new Peer('n1').listen();
    const n2 = await new Peer('n2', { digest: 'digest-2', layout: 'layout-2', leaseMs: 7_000 }).listen();
    n2.standing = 'serves';
    n2.begins = 3;
    n2.start();
    n1.start({ n2 });
    return [n1, n2];
  }

  test('one that dials another learns whether it serves, under which layout and lease, and is refused', async () => {
    const [n1, n2] = await strangers();
    await n1.untilDown('n2', /configuration differs/);
    await until(() => n1.dials.includes('n2 serves under layout-2, lease 7000, begins 3'), () => `the answer; ${n1.dials.join()}`);
    await until(() => n2.dials.includes('n1 calls'), 'n2 to notice');
    expect([n1.changes, n2.changes]).toEqual([[], []]);
  });

  test('what the one that dialled says of itself is not heard', async () => {
    const [n1, n2] = await strangers();
    n1.standing = 'serves';
    await until(() => n2.dials.includes('n1 calls'), 'n2 to notice');
    expect(n2.dials.filter((each) => each.startsWith('n1 serves'))).toEqual([]);
  });

  test('it is asked again soon, and at once when somebody wants to know', async () => {
    const [n1, n2] = await strangers();
    await until(() => n1.dials.length > 0, 'the answer');
    n2.standing = 'none';
    n1.probe();
    await until(() => n1.dials.includes('n2 none under layout-2, lease 7000, begins 3'), 'the next answer');
    n2.standing = 'wishes';
    n2.begins = 4;
    await until(() => n1.dials.includes('n2 wishes under layout-2, lease 7000, begins 4'), 'the one after that', 5_000);
    expect(n1.livesOfRivals.size).toBe(1);
  });

  test('a dial that reaches nobody is told, too', async () => {
    const n1 = (await new Peer('n1').listen()).start();
    await until(() => n1.dials.includes('n2 fails') && n1.dials.includes('n3 fails'), 'both to fail');
  });

  test('a peer that remembers says so, and one that met an earlier life of this node', async () => {
    const n1 = await new Peer('n1', { remembers: true }).listen();
    const n2 = await new Peer('n2').listen();
    n1.start({ n2 });
    n2.start({ n1 });
    await Promise.all([n1.untilUp('n2'), n2.untilUp('n1')]);
    expect([n1.earlierLives, n2.earlierLives]).toEqual([[], ['n1']]);
    // n1 comes again, as a new process: n2 met the one before. A connection that breaks is no other life.
    await n1.stop();
    await until(() => n2.status('n1')?.up === false, 'n2 to notice');
    const next = await new Peer('n1').listen();
    n2.moves('n1', next);
    next.start({ n2 });
    await next.untilUp('n2');
    expect(next.earlierLives).toEqual(['n2']);
  });
});
