/**
 * deadlock: who waits for whom, looked at whenever no message about a lock is under way: then nothing but a
 * repeat will move it. A circle among requests that wait, each for a vote that the next one has, should have
 * been broken by an Inquire (protocol.md section 5), and is reported at once, long before a bound on waiting
 * is reached. What was lost since a request was last repeated may excuse it; faults as such do not.
 * Must never change a run: it looks into the nodes, and at nothing else.
 */
import { isCompatible } from '../../src/core';
import type { Event, LamportTime, Message, NodeId } from '../../src/core';
import { violated } from './check';
import { keyOf } from './scene';
import type { Place, Scene } from './scene';
import type { Witness } from './witness';

/** What a node sent over one link about one lock since anything was lost. */
interface Asked {
  timestamp: LamportTime;
  epoch: number;
  times: number;
}

interface Edge {
  readonly to: string;
  readonly arbiter: NodeId;
}

export class Deadlock implements Witness {
  /** Per lock: copies of messages under way. */
  private readonly underWay: number[];
  /** Per lock: how often anything about it was lost. */
  private readonly epochs: number[];
  /** Per lock, link by link. */
  private readonly heard: Asked[][];

  private readonly nodes: readonly NodeId[];

  constructor(private readonly scene: Scene) {
    const { locks, nodeIds } = scene;
    this.nodes = nodeIds;
    this.underWay = locks.map(() => 0);
    this.epochs = locks.map(() => 0);
    this.heard = locks.map(() => Array.from({ length: nodeIds.length ** 2 }, () => ({ timestamp: 0, epoch: 0, times: 0 })));
  }

  departed(lock: number, copies: number): void {
    if (copies === 0) this.swallowed(lock);
    else this.underWay[lock] = (this.underWay[lock] ?? 0) + copies;
  }

  arrived(lock: number): void {
    this.underWay[lock] = (this.underWay[lock] ?? 0) - 1;
  }

  swallowed(lock: number): void {
    this.epochs[lock] = (this.epochs[lock] ?? 0) + 1;
  }

  /** All that it knew is lost. */
  dying(): void {
    for (let lock = 0; lock < this.epochs.length; lock++) this.swallowed(lock);
  }

  sent(from: number, to: number, lock: number, message: Message, cause: Event): void {
    // A peer that is back is asked alone; the node's own arbiter, which may have to inquire too, hears of it at the next repeat.
    if (message.kind !== 'request' || cause.kind === 'peerUp') return;
    const link = from * this.nodes.length + to;
    const asked = this.heard[lock]?.[link];
    if (asked === undefined) throw new RangeError(`no lock ${lock} or link ${link}`);
    const epoch = this.epochs[lock] ?? 0;
    if (asked.timestamp === message.timestamp && asked.epoch === epoch) {
      asked.times++;
    } else {
      asked.timestamp = message.timestamp;
      asked.epoch = epoch;
      asked.times = 1;
    }
  }

  delivered(lock: number): void {
    if ((this.underWay[lock] ?? 0) > 0 || !this.isWantedByMany(lock)) return;
    if (!this.nodes.some((_, node) => this.scene.isHeldBack(node))) this.demandNoCircle(lock);
  }

  /** Callers of several nodes wait for it: only then may they wait for each other. */
  private isWantedByMany(lock: number): boolean {
    let one: Place | null = null;
    for (const caller of this.scene.callers) {
      if (caller.state !== 'waiting' || caller.lock !== lock) continue;
      if (one !== null && one !== caller.machine) return true;
      one = caller.machine;
    }
    return false;
  }

  /** Only while nothing about the lock is under way or held back. */
  private demandNoCircle(lock: number): void {
    const views = this.nodes.map((_, node) => this.scene.inspect(node, lock));
    const waiting = new Set<string>();
    views.forEach((view, node) => {
      const { requester } = view ?? { requester: null };
      if (requester?.state !== 'waiting') return;
      const { request, asked } = requester;
      if (asked.every((arbiter) => this.isHeard(lock, node, this.nodes.indexOf(arbiter), request.timestamp))) waiting.add(keyOf(request));
    });
    if (waiting.size < 2) return;
    const edges = new Map<string, Edge[]>();
    views.forEach((view, arbiter) => {
      for (const { request, mode } of view?.queue ?? []) {
        const from = keyOf(request);
        if (!waiting.has(from)) continue;
        for (const grant of view?.grants ?? []) {
          const to = keyOf(grant.request);
          if (!waiting.has(to) || isCompatible(mode, grant.mode) || grant.expiresAtMs <= this.scene.nowMs(arbiter)) continue;
          edges.set(from, [...(edges.get(from) ?? []), { to, arbiter: this.nodes[arbiter] ?? '' }]);
        }
      }
    });
    const circle = findCircle(edges);
    if (circle !== null) violated('deadlock', `lock ${this.scene.locks[lock]}: no message is under way, and ${circle.join(', ')}`);
  }

  /**
   * Whether the arbiter must know this request and have inquired for its sake. After a loss the first Request
   * may not be enough: an Inquire for the sake of another may have been lost, and only a repeat sends it again.
   */
  private isHeard(lock: number, from: number, arbiter: number, timestamp: LamportTime): boolean {
    if (from === arbiter) return true; // It asks the others in the same breath.
    const asked = this.heard[lock]?.[from * this.nodes.length + arbiter];
    const epoch = this.epochs[lock] ?? 0;
    return asked?.timestamp === timestamp && asked.epoch === epoch && asked.times >= (epoch === 0 ? 1 : 2);
  }
}

function findCircle(edges: ReadonlyMap<string, readonly Edge[]>): string[] | null {
  const done = new Set<string>();
  const path: { readonly request: string; readonly words: string }[] = [];
  const visit = (request: string): string[] | null => {
    if (done.has(request)) return null;
    const start = path.findIndex((each) => each.request === request);
    if (start >= 0) return path.slice(start).map(({ words }) => words);
    for (const { to, arbiter } of edges.get(request) ?? []) {
      path.push({ request, words: `${request} waits for the vote of ${arbiter} that ${to} has` });
      const found = visit(to);
      if (found !== null) return found;
      path.pop();
    }
    done.add(request);
    return null;
  };
  for (const request of edges.keys()) {
    const found = visit(request);
    if (found !== null) return found;
  }
  return null;
}

