/**
 * ceiling-in-time: a node asks for its next ceiling as soon as less than half of a block is left, so that nothing waits for the disk; and a block is no
 * larger than the law says, so that a crash gains little (protocol.md section 3, Blocks).
 * It looks at a node's clock.
 */
import type { Plan } from '../plan/plan';
import { violated } from './check';
import { clockOf } from './scene';
import type { Scene } from './scene';
import type { EffectOf, Witness } from './witness';

/** The first block of a life is so much smaller than the largest. */
const FIRST_BLOCK_SHARE = 64;

interface Blocks {
  /** The last one; 0 before the first. */
  block: number;
  ceiling: number;
}

export class CeilingInTime implements Witness {
  private readonly blocks: readonly Blocks[];
  private reserved: number | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {
    this.blocks = scene.nodeIds.map(() => ({ block: 0, ceiling: 0 }));
  }

  started(machine: number): void {
    Object.assign(this.blocks[machine] ?? {}, { block: 0, ceiling: 0 });
  }

  performed(effect: EffectOf<'ignored' | 'wake' | 'renewed' | 'reserveCeiling' | 'wanted'>): void {
    if (effect.kind === 'reserveCeiling') this.reserved = effect.ceiling;
  }

  stepped(machine: number): void {
    const blocks = this.blocks[machine];
    const { reserved: asked } = this;
    this.reserved = null;
    if (blocks === undefined) return;
    const clock = clockOf(this.scene, machine);
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
}
