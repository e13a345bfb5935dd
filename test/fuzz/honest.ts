/** Two honest nodes of three, real ones on loopback, of which one holds a lock all the time. The third id is the fuzzer's. */
import { startNode } from '../../src';
import type { HeldLock, MaekawaNode } from '../../src';
import { freePorts, until } from '../support/processes';

const IDS = ['n1', 'n2', 'n3'] as const;

export class Honest {
  private entries = 0;

  private constructor(readonly n1: MaekawaNode, readonly n2: MaekawaNode, private readonly lock: HeldLock) {}

  static async start(): Promise<Honest> {
    const ports = await freePorts(IDS.length);
    const config = {
      cluster: 'fuzz', nodes: IDS.map((id, place) => ({ id, address: `127.0.0.1:${ports[place]}` })),
      quorums: { family: 'majority' }, leaseMs: 3_000,
    };
    const start = (id: string): Promise<MaekawaNode> => startNode({ id, config, ephemeral: true, firstStart: true });
    const [n1, n2] = await Promise.all([start('n1'), start('n2')]);
    await until(() => n1.status().peers.some(({ up }) => up), 'the two to be connected');
    return new Honest(n1, n2, await n1.locks.acquire('honest'));
  }

  /** Both live, the lock was held all the time, and another one can be had through either. */
  async check(): Promise<void> {
    expect([this.n1.signal.reason, this.n2.signal.reason, this.lock.signal.reason]).toEqual([undefined, undefined, undefined]);
    for (const { locks } of [this.n1, this.n2]) await locks.request(`honest ${this.entries++}`, { waitMs: 10_000 }, () => undefined);
  }

  async stop(): Promise<void> {
    await this.lock.release();
    await Promise.all([this.n1.stop(), this.n2.stop()]);
  }
}
