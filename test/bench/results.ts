/** Results as a run could leave them: some figures of ours and of others, with a loss and a failure. */
import type { Results } from '../../bench/results/results';

export const RESULTS: Results = {
  format: 1,
  day: '2030-01-02',
  machine: { cpu: 'Some <CPU> & more', cores: 2, memoryGiB: 24, node: 'v20.1.0', platform: 'linux' },
  versions: ['maekawa 0.1.0', 'Redis 7.0.15'],
  forMs: 1_000,
  warmUpMs: 500,
  leadInMs: 200,
  repeats: 3,
  leaseMs: 5_000,
  otherWorkCores: { median: 0.02, min: 0, max: 0.05 },
  throughput: [
    { work: 'one-request', subject: 'redis', perSecond: [6_600, 6_700, 6_500], cpuMs: [0.13, 0.12, 0.14] },
    { work: 'one-request', subject: 'connect', perSecond: [1_800, 1_790, 1_810], cpuMs: [0.7, 0.7, 0.7] },
    { work: 'contended', subject: 'connect', perSecond: [490, 480, 500], cpuMs: [2.9, 2.8, 3], perWaiter: [10, 20, 15] },
    { work: 'contended', subject: 'redlock-3', perSecond: [130, 120, 140], cpuMs: [1, 1, 1], perWaiter: [0, 20, 15] },
  ],
  recovery: [
    { subject: 'connect', lease: 'short', leaseMs: 2_000, ms: [1_500, 1_600, 1_400] },
    { subject: 'postgres', lease: 'short', leaseMs: null, ms: [12, 11, 13] },
    { subject: 'zookeeper', lease: 'default', leaseMs: 30_000, ms: [29_000] },
  ],
  memory: [{ subject: 'connect', locks: 10_000, connections: 10, serverBytes: 2_900, clientBytes: 950 }],
  fleet: {
    crowd: { clients: 5_000, leaseMs: 5_000, nodeCores: 0.21, nodeBytes: 390e6, newcomerMs: [3, 4, 5] },
    death: { clients: 1_000, leaseMs: 5_000, allServedMs: [6_000, 6_500, 6_200] },
  },
  failures: ['one PostgreSQL, memory: out of shared memory'],
};
