/**
 * ceiling-in-time: a node asks for its next ceiling as soon as less than half of a block is left, so that nothing waits for the disk; and a block is no
 * larger than the law says, so that a crash gains little (protocol.md section 3, Blocks).
 * A node that has had something to say for a retry interval, and cannot, for its ceiling is not written, says that it is mute (17).
 * It looks at a node's clock, and at what a node says of its requests and of what it has lent.
 */
import type { LamportTime, NodeId } from '../../src/core';
import { termsAt } from '../plan/plan';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { clockOf } from './scene';
import type { Scene } from './scene';
import type { Performed, Witness } from './witness';

/** The first block of a life is so much smaller than the largest. */
const FIRST_BLOCK_SHARE = 64;

interface Blocks {
  /** The last one; 0 before the first. */
  block: number;
  ceiling: number;
  /** By timestamp or number of a grant: since when that waits for the disk, in the node's time. */
  readonly waits: Map<LamportTime, number>;
}

export class CeilingInTime implements Witness {
  private readonly blocks: readonly Blocks[];
  private reserved: number | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.blocks = scene.nodeIds.map(() => ({ block: 0, ceiling: 0, waits: new Map<LamportTime, number>() }));
  }

  started(machine: number): void {
    Object.assign(this.blocks[machine] ?? {}, { block: 0, ceiling: 0 });
    this.blocks[machine]?.waits.clear();
  }

  performed(effect: Performed): void {
    if (effect.kind === 'reserveCeiling') this.reserved = effect.ceiling;
  }

  stepped(machine: number): void {
    const blocks = this.blocks[machine];
    const { reserved: asked } = this;
    this.reserved = null;
    if (blocks === undefined) return;
    const clock = clockOf(this.scene, machine);
    this.judgeMute(machine, clock, blocks.waits);
    const id = this.scene.nodeIds[machine];
    if (asked !== null) {
      const { ceilingBlock } = this.plan;
      const block = Math.min(ceilingBlock, Math.max(2 * blocks.block, Math.ceil(ceilingBlock / FIRST_BLOCK_SHARE)));
      if (asked !== clock + block) violated('ceiling-in-time', `${id} asks for a ceiling ${asked - clock} above its clock; a block is ${block} now`);
      Object.assign(blocks, { block, ceiling: asked });
    } else if (blocks.block > 0 && clock + blocks.block / 2 > blocks.ceiling) {
      violated('ceiling-in-time', `${id} asks for no further ceiling, although ${blocks.ceiling - clock} of a block of ${blocks.block} are left`);
    }
  }

  /** A Request or a Grant with a number above the ceiling waits for as long as the ceiling is not written, or its node has no use for it. */
  private judgeMute(machine: number, clock: LamportTime, waits: Map<LamportTime, number>): void {
    const place = this.scene.places[machine];
    const node = place?.node ?? null;
    if (place === undefined || node === null || clock <= place.ceilingOnDisk || !this.scene.core.remembers(node)) return waits.clear();
    // What finds no room is not said later.
    if (this.plan.heldBackMax !== undefined) return;
    const nowMs = this.scene.nowMs(machine);
    const waiting = this.scene.locks.flatMap((_, lock) => this.saidAbove(place.ceilingOnDisk, place.id, machine, lock));
    for (const each of waits.keys()) if (!waiting.includes(each)) waits.delete(each);
    for (const each of waiting) if (!waits.has(each)) waits.set(each, nowMs);
    const { retryMs } = termsAt(this.plan, this.scene.nowUs);
    const waitedMs = nowMs - Math.min(...waits.values());
    if (waitedMs < retryMs || this.scene.core.isMute(node, nowMs)) return;
    violated('ceiling-in-time', `${place.id} looks alive, although it has had something to say for ${waitedMs} ms and its ceiling is not written`);
  }

  private saidAbove(ceiling: LamportTime, self: NodeId, machine: number, lock: number): LamportTime[] {
    const view = this.scene.inspect(machine, lock);
    if (view === null) return [];
    const said = view.grants.filter(({ request, grant }) => request.node !== self && grant > ceiling).map(({ grant }) => grant);
    const { requester } = view;
    const isAsking = requester !== null && (requester.state === 'waiting' || requester.state === 'held') && requester.request.timestamp > ceiling && requester.asked.some((node) => node !== self);
    return isAsking ? [...said, requester.request.timestamp] : said;
  }
}
