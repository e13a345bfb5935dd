/** What is judged of single frames of clients and nodes, as they are sent, and of a stream that breaks (protocol.md section 15.3). */
import { violated } from './check';
import type { Link } from './link';
import type { DownFrame, UpFrame } from './machines';
import type { Served } from './served';

/** While more of the lease is left of each lock, nothing need be said. */
const LEFT_SHARE = 0.4;

/** So often in a row it may be said all the same: what a client goes by may be a bound from before the last word about all locks. */
const EARLY_MAX = 2;

/** The client takes it for each lock of which it was told that it holds it, and no end. */
export function judgeWordForAll(node: number, served: Served, { ended, allValidForMs }: DownFrame, nowMs: number): void {
  for (const { id } of ended) isOverFor(served, id);
  if (allValidForMs === null) return;
  for (const { state, toldAtMs, isOverForClient, validUntilMs, request: { attempt } } of served.wanted.values()) {
    if (toldAtMs === null || isOverForClient) continue;
    const leftMs = state === 'holds' ? Math.max(0, Math.floor(validUntilMs - nowMs)) : 0;
    if (allValidForMs > leftMs) violated('client-believes', `n${node} tells session ${served.name} that all its locks are valid for ${allValidForMs} ms; of request ${attempt} ${leftMs} ms are left`);
  }
}

/** Its client counts on it no more. */
export function isOverFor({ wanted }: Served, id: number): void {
  const known = wanted.get(id);
  if (known !== undefined) known.isOverForClient = true;
}

/** The node answered over the stream that broke: what was given back by then is told over the next. */
export function judgeBack(client: number, { node, openedAtUs, heardAtUs, machine, stream }: Link, givenBack: readonly number[]): void {
  if (heardAtUs <= openedAtUs || givenBack.length === 0 || stream?.isOpenAtClient === true || Number.isFinite(machine.wakeAtMs)) return;
  violated('given-back-is-free', `c${client} does not come back to n${node} to say that request ${givenBack.join(', ')} is given back, although the node answered over the stream that broke`);
}

/** A sign of life that says nothing is due when little is left of some lock, or after half a lease. */
export function judgeSign(client: number, link: Link, { hello, releases, spent, inUse, acquires, sentAtMs }: UpFrame, nowMs: number, leaseMs: number): void {
  const saysNothing = hello === null && releases.length + spent.length + inUse.length + acquires.length === 0;
  const sinceMs = nowMs - link.sentAtMs;
  link.sentAtMs = sentAtMs ?? link.sentAtMs;
  const leastMs = LEFT_SHARE * leaseMs;
  const callers = [...link.callers.values()];
  const isEarly = saysNothing && sinceMs < leaseMs / 2 && callers.length + link.keeping.size > 0
    && callers.every(({ state, hold }) => state === 'holds' && (hold?.validForMs() ?? 0) > leastMs) && link.keeping.leastMs > leastMs;
  link.early = isEarly ? link.early + 1 : 0;
  if (link.early > EARLY_MAX) violated('sparing', `c${client}, which waits for nothing, says nothing to n${link.node} for the ${link.early}th time in a row, ${sinceMs.toFixed(3)} ms after its last frame`);
}
