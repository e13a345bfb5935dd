/**
 * refused-clearly: a Request that arrives is granted, queued, or dropped for a reason that has a name; and what bounds the memory of an
 * arbiter refuses only what is beyond it (protocol.md section 5.7). A request of a node makes way for a further one before that is refused,
 * and no lock is refused while there is room. For runs with small limits.
 */
import type { LockView, Message, NodeId } from '../../src/core';
import type { Plan } from '../plan/plan';
import { violated } from './check';
import type { Scene } from './scene';
import type { EffectOf, Witness } from './witness';

export class RefusedClearly implements Witness {
  /** The Request that an arbiter handles now, and why it was dropped. */
  private handled: { readonly from: number; readonly to: number; readonly lock: number; readonly message: Message } | null = null;
  private reason: string | null = null;

  constructor(private readonly scene: Scene, private readonly plan: Plan) {}

  delivering(from: number, to: number, lock: number, message: Message): void {
    this.handled = message.kind === 'request' ? { from, to, lock, message } : null;
    this.reason = null;
  }

  performed(effect: EffectOf<'ignored' | 'wake' | 'renewed' | 'reserveCeiling'>): void {
    if (effect.kind === 'ignored' && effect.message === this.handled?.message) this.reason = effect.reason;
  }

  delivered(): void {
    if (this.handled === null) return;
    const { from, to, lock, message: { timestamp } } = this.handled;
    this.handled = null;
    const node = this.scene.nodeIds[from] ?? '';
    const view = this.scene.inspect(to, lock);
    const own = requestsOf(view, node);
    const { requestsOfANodeMax = Infinity } = this.plan;
    if (own.length > requestsOfANodeMax) this.fails(to, lock, `knows ${own.length} requests of ${node}, and the limit is ${requestsOfANodeMax}`);
    if (this.reason === 'too many locks') this.fails(to, lock, 'refuses the lock, although there is room for all that there are');
    if (this.reason === 'too many requests of the node for the lock' && view?.queue.some(({ request }) => request.node === node) === true) {
      this.fails(to, lock, `refuses request ${timestamp} of ${node}, although another one of it only waits`);
    }
    if (this.reason === null && !own.includes(timestamp)) this.fails(to, lock, `drops request ${timestamp} of ${node} without a word`);
  }

  private fails(arbiter: number, lock: number, detail: string): never {
    return violated('refused-clearly', `${this.scene.nodeIds[arbiter]}, lock ${this.scene.locks[lock]}: ${detail}`);
  }
}

function requestsOf(view: LockView | null, node: NodeId): number[] {
  return [...(view?.grants ?? []), ...(view?.queue ?? [])].flatMap(({ request }) => (request.node === node ? [request.timestamp] : []));
}
