/** A node out of its parts: the core, what drives it, and the locks that people use. Nothing is started yet. */
import type { Configuration } from '../config';
import { Candidacy, CredibleClock, ceilingBlockOf, createNode, inspectNode, slackOf } from '../core';
import type { Birth, CoreSettings, NodeId } from '../core';
import { NodeLockManager } from '../locks/lock-manager';
import type { ManagerParts } from '../locks/lock-manager';
import type { Logger } from '../log';
import type { Transport } from '../transport/transport';
import type { DataDirectory } from '../runtime/data-directory';
import type { LifeToCome } from './earlier-life';
import type { NodeTime } from '../runtime/monotonic-time';
import { Runtime } from '../runtime/runtime';
import type { TraceWriter } from '../runtime/trace-writer';

export interface NodeParts {
  readonly id: NodeId;
  readonly configuration: Configuration;
  readonly transport: Transport;
  readonly dataDirectory: DataDirectory;
  readonly time: NodeTime;
  readonly log: Logger;
  readonly retain: boolean;
  /** No node of the cluster ever ran: no vote of this one can be on loan. */
  readonly firstStart: boolean;
  /** How this life begins after the last one. Left out, as in a test of one configuration: with the lease as it is, and at once. */
  readonly life?: LifeToCome;
  readonly queryPeers: ManagerParts['queryPeers'];
  readonly watchPeers: ManagerParts['watchPeers'];
  readonly holdersAtPeers: ManagerParts['holdersAtPeers'];
  /** What callers in this process are called that give no label. Left out: nothing. */
  readonly label?: string;
  /** Records this life; closed at its end. */
  readonly trace?: TraceWriter;
}

export interface AssembledNode {
  readonly runtime: Runtime;
  readonly candidacy?: Candidacy;
  readonly manager: NodeLockManager;
  readonly hasQuorum: ManagerParts['hasQuorum'];
}

export function assembleNode(parts: NodeParts): AssembledNode {
  const { id, configuration, transport, dataDirectory, time, log, retain, queryPeers, watchPeers, holdersAtPeers, trace, label } = parts;
  const { coterie, leaseMs, retryMs, driftMax } = configuration;
  const settings: CoreSettings = {
    self: id, coterie, leaseMs, retryMs, driftMax, slack: slackOf(leaseMs), ceilingBlock: ceilingBlockOf(leaseMs), retain,
  };
  const { life } = parts;
  const birth: Birth = {
    ceilingOnDisk: dataDirectory.ceiling,
    wallClockUs: Math.max(time.wallClockUs(), life?.clockFloor ?? 0),
    firstStart: parts.firstStart && !dataDirectory.existed,
    ...(life === undefined ? {} : { silentMs: life.silentMs, slackBefore: life.slackBefore }),
  };
  const candidacy = life === undefined ? undefined : new Candidacy({
    self: id, coterie, leaseMs, startedAtMs: time.nowMs(), silentMs: life.silentMs, firstStart: birth.firstStart,
  });
  const guard = life === undefined || candidacy === undefined ? {} : { candidacy, terms: life };
  const core = createNode(settings, birth);
  const credible = new CredibleClock({ self: id, coterie, leaseMs, bornAt: inspectNode(core).clock, bornAtMs: time.nowMs() });
  trace?.begin({ id, configuration, settings, birth, nowMs: time.nowMs() });
  const recording = trace === undefined ? {} : { record: trace.record.bind(trace) };
  const runtime = new Runtime({ id, core, transport, dataDirectory, time, log, credible, ...recording, ...guard });
  if (trace !== undefined) runtime.ended.signal.addEventListener('abort', () => trace.close());
  for (const node of coterie.nodes) if (node !== id) runtime.down.set(node, 'not connected yet');
  const hasQuorum: ManagerParts['hasQuorum'] = ({ why }) => coterie.containsQuorum(new Set(coterie.nodes.filter((node) => !why.has(node))));
  const pause = (forMs: number): Promise<void> => time.pause(forMs);
  return { runtime, hasQuorum, ...(candidacy === undefined ? {} : { candidacy }), manager: new NodeLockManager({ id, runtime, leaseMs, hasQuorum, queryPeers, watchPeers, holdersAtPeers, pause, ...(label === undefined ? {} : { label }) }) };
}
