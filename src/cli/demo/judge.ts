/**
 * Judges what the nodes wrote into their shared file. Pure. The order of the lines is the order of
 * what happened: each was appended by the node that was inside at that moment.
 */
import type { NodeId, Token } from '../../core';
import type { WorkloadLine } from '../workload';

export interface Judgement {
  readonly entries: ReadonlyMap<NodeId, number>;
  /** Entries while another node was inside, as sentences. */
  readonly overlaps: readonly string[];
  /** Tokens that do not exceed all before them, as sentences. */
  readonly tokenFaults: readonly string[];
}

/** @param died tokens of holders that were killed while inside: they never leave, and are not inside any more */
export function judge(lines: readonly WorkloadLine[], died: ReadonlySet<Token>): Judgement {
  const entries = new Map<NodeId, number>();
  const overlaps: string[] = [];
  const tokenFaults: string[] = [];
  let inside: WorkloadLine | null = null;
  let highest: WorkloadLine | null = null;
  for (const line of lines) {
    if (line.event !== 'enter') {
      if (inside?.token === line.token) inside = null;
      continue;
    }
    entries.set(line.node, (entries.get(line.node) ?? 0) + 1);
    if (inside !== null && !died.has(inside.token)) {
      overlaps.push(`${line.node} entered with token ${line.token} while ${inside.node} was inside with ${inside.token}`);
    }
    if (highest !== null && line.token <= highest.token) {
      tokenFaults.push(`${line.node} entered with token ${line.token} after ${highest.node} had ${highest.token}`);
    }
    if (highest === null || line.token > highest.token) highest = line;
    inside = line;
  }
  return { entries, overlaps, tokenFaults };
}
