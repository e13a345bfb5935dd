/**
 * Streams between clients and nodes. A stream delivers in order and once while its receiver takes it for open. When it breaks,
 * what is under way is lost from some frame on, or comes later, in any order and twice, when its receiver cares for it no more.
 * Each side learns of the break in its own time.
 */
import { MILLION } from '../plan/random';
import type { DownFrame, UpFrame } from './machines';
import type { Break } from './plan';
import type { Stage } from './stage';

export interface Stream {
  readonly number: number;
  readonly client: number;
  readonly node: number;
  /** Name and secret of its session. */
  readonly session: string;
  /** Of the node's process: what was sent to one never reaches the next. */
  readonly life: number;
  /** In true time; Infinity while it is whole. */
  brokeAtUs: number;
  lossPpm: number;
  isOpenAtClient: boolean;
  isOpenAtNode: boolean;
  /** The node has taken a newer one of this session. */
  isReplaced: boolean;
  readonly up: Way;
  readonly down: Way;
}

interface Way {
  /** No frame overtakes another, or comes in one microsecond with it. */
  lastUs: number;
  sent: number;
  /** The next that its receiver takes. */
  expected: number;
}

export interface Ends {
  lifeOf(node: number): number;
  isTaking(node: number): boolean;
  nodeHears(stream: Stream, frame: UpFrame): void;
  clientHears(stream: Stream, frame: DownFrame): void;
  brokeAtNode(stream: Stream): void;
  brokeAtClient(stream: Stream, isReached: boolean): void;
}

/** So late comes at most what was under way when its stream broke. */
export const LATE_LEASES_MAX = 4;

export class Network {
  private readonly unreachableUntilUs = new Map<string, number>();
  /** The next stream between these does not come about. */
  private readonly failsNext = new Set<string>();
  /** Those that are whole, by client and node. */
  private readonly whole = new Map<string, Stream>();
  /** Frames sent so far between a client and a node. */
  private readonly frames = new Map<string, number>();

  constructor(
    private readonly stage: Stage,
    private readonly delayMaxUs: number,
    private readonly leaseUs: number,
    private readonly ends: Ends,
    /** Just when a frame is sent. */
    private readonly onFrame: (stream: Stream, way: 'up' | 'down', count: number) => void,
  ) {}

  open(client: number, node: number, number: number, session: string): Stream {
    const { stage } = this;
    const stream: Stream = {
      number, client, node, session, life: this.ends.lifeOf(node), brokeAtUs: Infinity, lossPpm: 0, isOpenAtClient: true, isOpenAtNode: true, isReplaced: false,
      up: { lastUs: 0, sent: 0, expected: 0 }, down: { lastUs: 0, sent: 0, expected: 0 },
    };
    stage.tell('opens', client, number, () => `c${client} to n${node}: stream ${number} of session ${session}`);
    const isReachable = this.ends.isTaking(node) && stage.nowUs >= (this.unreachableUntilUs.get(key(client, node)) ?? 0);
    const isRefused = this.failsNext.delete(key(client, node));
    if (isReachable && !isRefused) this.whole.set(key(client, node), stream);
    else {
      stream.brokeAtUs = stage.nowUs;
      stream.isOpenAtNode = false;
      stream.lossPpm = MILLION;
      // Refused at once, or nobody answers.
      stage.after(isRefused || stage.random.chance(500_000) ? this.delay() : stage.random.below(this.leaseUs), () => this.ends.brokeAtClient(stream, false));
    }
    return stream;
  }

  /** What the client sends. */
  up(stream: Stream, frame: UpFrame): void {
    this.send(stream, 'up', () => {
      if (this.ends.lifeOf(stream.node) === stream.life) this.ends.nodeHears(stream, frame);
    }, () => stream.isOpenAtNode && !stream.isReplaced);
  }

  /** What the node sends. */
  down(stream: Stream, frame: DownFrame): void {
    this.send(stream, 'down', () => this.ends.clientHears(stream, frame), () => stream.isOpenAtClient);
  }

  unreachable(client: number, node: number, untilUs: number): void {
    this.unreachableUntilUs.set(key(client, node), untilUs);
    const stream = this.whole.get(key(client, node));
    if (stream !== undefined) this.break(stream, { clientUs: this.stage.random.below(this.leaseUs), nodeUs: this.stage.random.below(this.leaseUs), lossPpm: MILLION, again: false });
  }

  wholeOf(client: number, node: number): Stream | undefined {
    return this.whole.get(key(client, node));
  }

  wholeOfNode(node: number): Stream[] {
    return [...this.whole.values()].filter((stream) => stream.node === node);
  }

  wholeOfClient(client: number): Stream[] {
    return [...this.whole.values()].filter((stream) => stream.client === client);
  }

  break(stream: Stream, { clientUs, nodeUs, lossPpm, again }: Break): void {
    const { stage } = this;
    if (stream.brokeAtUs < Infinity) return;
    stream.brokeAtUs = stage.nowUs;
    stream.lossPpm = lossPpm;
    if (again) this.failsNext.add(key(stream.client, stream.node));
    if (this.whole.get(key(stream.client, stream.node)) === stream) this.whole.delete(key(stream.client, stream.node));
    stage.tell('breaks', stream.client, stream.number, () => `stream ${stream.number} of c${stream.client} to n${stream.node}`);
    stage.count('streams that broke');
    stage.after(nodeUs, () => this.ends.brokeAtNode(stream));
    stage.after(clientUs, () => this.ends.brokeAtClient(stream, true));
  }

  /** The client ends it in good order: what it sent still arrives. */
  endByClient(stream: Stream): void {
    stream.isOpenAtClient = false;
    if (this.whole.get(key(stream.client, stream.node)) === stream) this.whole.delete(key(stream.client, stream.node));
    this.stage.at(Math.max(this.stage.nowUs, stream.up.lastUs) + this.delay(), () => this.ends.brokeAtNode(stream));
  }

  private send(stream: Stream, which: 'up' | 'down', deliver: () => void, isOpen: () => boolean): void {
    const { stage } = this;
    const way = stream[which];
    const place = way.sent++;
    const sentAtUs = stage.nowUs;
    if (stream.brokeAtUs < sentAtUs) return void stage.count('frames into a broken stream');
    way.lastUs = Math.max(way.lastUs + 1, stage.nowUs + this.delay());
    const take = (): void => {
      const isNext = place === way.expected;
      // While it counts, nothing is left out and nothing comes twice.
      if (isOpen() && !isNext) return;
      if (isNext) way.expected++;
      else stage.count('late frames over older streams');
      deliver();
    };
    stage.at(way.lastUs, () => {
      if (stream.brokeAtUs === Infinity || !isOpen()) return take();
      if (stage.random.chance(stream.lossPpm)) return void stage.count('frames lost in a break');
      // It still comes, or it comes late, or a copy of it does.
      if (stage.random.chance(600_000)) take();
      const latestUs = stage.random.pick([2, 2, LATE_LEASES_MAX]) * this.leaseUs;
      for (let copies = stage.random.below(4); copies > 0; copies--) stage.after(stage.random.below(latestUs), take);
    });
    const count = (this.frames.get(key(stream.client, stream.node, which)) ?? 0) + 1;
    this.frames.set(key(stream.client, stream.node, which), count);
    this.onFrame(stream, which, count);
  }

  delay(): number {
    return this.stage.random.between(100, Math.max(100, this.delayMaxUs));
  }
}

function key(client: number, node: number, way = ''): string {
  return `${client}.${node}.${way}`;
}
