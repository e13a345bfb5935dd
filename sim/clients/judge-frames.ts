/** What is judged of single frames of clients and nodes, as they are sent, and of a stream that breaks (protocol.md section 15.3). */
import { violated } from './check';
import type { Link } from './link';
import type { DownFrame, UpFrame } from './machines';
import type { Served, Wanted } from './served';

/** While more of the lease is left of each lock, nothing need be said. */
const LEFT_SHARE = 0.4;

/** So often in a row it may be said all the same: what a client goes by may be a bound from before the last word about all locks. */
const EARLY_MAX = 2;

/** Times are differences of large numbers. */
const ROUNDING_MS = 1e-6;

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

/** Room for tokens ends with the stream over which it was told. */
export function judgeRoom(node: number, { toldAtMs, request: { attempt } }: Wanted, roomUntil: number | undefined): void {
  if (toldAtMs !== null && roomUntil !== undefined) violated('called-in', `n${node} tells of room for request ${attempt} once more, which ended when the stream broke over which it was told`);
}

/** For nobody, no longer than its client asked, from when it was first told of it; and not at all if it was taken. */
export function judgeHeldOn(node: number, wanted: Wanted | undefined, untilMs: number): void {
  if (wanted === undefined) return;
  const { state, toldAtMs, atLeastMs, request: { attempt, lock } } = wanted;
  if (state === 'lost') violated('held-on', `n${node} holds lock ${lock} on for nobody, which was taken`);
  const beyondMs = toldAtMs === null ? Infinity : untilMs - (toldAtMs + atLeastMs);
  if (beyondMs > ROUNDING_MS) violated('held-on', `n${node} holds lock ${lock} on for nobody for ${beyondMs.toFixed(3)} ms more than request ${attempt} asked for`);
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
  // What a client that comes back does not name is given back by that.
  for (const id of hello === null ? releases : link.givenBack.keys()) link.saidAtMs.set(id, sentAtMs ?? Infinity);
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

/** The node has heard what it echoes, and all that was said before: of each of these the client knows that it was heard. */
export function judgeEcho(client: number, { node, givenBack, saidAtMs }: Link, { sentAtMs }: DownFrame): void {
  for (const [id, atMs] of saidAtMs) {
    const attempt = givenBack.get(id);
    if (attempt === undefined) saidAtMs.delete(id);
    else if (atMs <= sentAtMs) violated('told-when-given-back', `c${client} gave request ${attempt} back to n${node} in the frame of ${atMs}; the node answers that of ${sentAtMs}, and the client does not take it for heard`);
  }
}
