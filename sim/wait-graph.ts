/**
 * deadlock: who waits for whom, looked at whenever no message about a lock is under way and none was lost:
 * then nothing but a repeat will move it. A circle among requests that wait, each for a vote that the next
 * one has, should have been broken by an Inquire (protocol.md section 5), and is reported at once, long before
 * a bound on waiting is reached. Must never change a run: it looks into the nodes, and at nothing else.
 */
import { isCompatible } from '../src/core';
import type { LockName, LockView, NodeId, RequestId } from '../src/core';
import { violated } from './checks';

/** `inspect`: one lock at one node, or null when the node is down or knows nothing of it. */
export function demandNoCircle(lock: LockName, nodes: readonly NodeId[], inspect: (node: NodeId) => LockView | null): void {
  const views = new Map(nodes.map((node) => [node, inspect(node)]));
  const waiting = new Set([...views].flatMap(([node, view]) => (
    view?.requester?.state === 'waiting' ? [keyOf({ node, timestamp: view.requester.request.timestamp })] : [])));
  if (waiting.size < 2) return;
  /** From a request that waits to those that have the votes it waits for, and the arbiter whose vote it is. */
  const edges = new Map<string, { readonly to: string; readonly arbiter: NodeId }[]>();
  for (const [arbiter, view] of views) {
    for (const { request, mode } of view?.queue ?? []) {
      const from = keyOf(request);
      if (!waiting.has(from)) continue;
      for (const grant of view?.grants ?? []) {
        const to = keyOf(grant.request);
        if (!waiting.has(to) || isCompatible(mode, grant.mode)) continue;
        edges.set(from, [...(edges.get(from) ?? []), { to, arbiter }]);
      }
    }
  }
  const circle = findCircle(edges);
  if (circle !== null) violated('deadlock', `lock ${lock}: no message is under way, and ${circle.join(', ')}`);
}

function findCircle(edges: ReadonlyMap<string, readonly { readonly to: string; readonly arbiter: NodeId }[]>): string[] | null {
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

function keyOf({ node, timestamp }: RequestId): string {
  return `${node}'s request ${timestamp}`;
}
