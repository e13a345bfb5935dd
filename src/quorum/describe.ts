/** What the quorums of a configuration are worth, in numbers; how they are printed is the CLI's. */
import { availabilities } from './availability';
import type { Availability } from './availability';
import type { Coterie, NodeId } from './coterie';
import { smallestBlockingSize } from './crashes';
import { buildCoterie } from './family';
import type { Family, FamilyLayout } from './family';
import { layoutOf } from './layouts';
import { planeOrder } from './plane';

export type { Availability } from './availability';

export interface Range {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
}

export interface QuorumDescription {
  readonly family: Family;
  readonly nodes: number;
  /** K: how many nodes the voting set of a node has, itself included. */
  readonly quorumSize: Range;
  /** Which share of all entries ask a node, when every node is up and enters equally often. */
  readonly load: Range;
  /** Messages between nodes for an entry without contention: Request, Grant and Release for each other member, 3(K − 1). */
  readonly messagesPerEntry: Range;
  readonly crashes: {
    /** Whichever nodes crash, so many do no harm. */
    readonly anyCase: number;
    /** False when finding out would take too long: it survives at least `anyCase`. */
    readonly anyCaseIsExact: boolean;
    /** So many do no harm if they are the right ones. */
    readonly bestCase: number;
  };
  /** Nodes that are in every quorum: when one of them is down, no lock can be taken. */
  readonly indispensable: readonly NodeId[];
  readonly availability: readonly Availability[];
  readonly advice: readonly Advice[];
}

/** Another way to lay out the same nodes. */
export interface Advice {
  /**
   * `better`: no worse in quorum size, load and crashes survived, and better in some.
   * `smaller`: smaller quorums, but less of something else. `tougher`: survives more crashes, but likewise.
   */
  readonly kind: 'better' | 'smaller' | 'tougher';
  readonly family: Family;
  /** Of a grid. */
  readonly columns?: number;
  readonly quorumSizeMax: number;
  readonly messagesPerEntryMax: number;
  readonly crashesAnyCase: number;
}

export const NODE_AVAILABILITIES = [0.9, 0.99, 0.999] as const;

/** The layout must be sound for these nodes. Takes up to a few seconds for a thousand nodes. */
export function describeQuorums(nodes: readonly NodeId[], layout: FamilyLayout): QuorumDescription {
  const coterie = buildCoterie(nodes, layout);
  const costs = measure(coterie, layout);
  return {
    family: layout.family,
    nodes: nodes.length,
    quorumSize: costs.quorumSize,
    load: costs.load,
    messagesPerEntry: costs.messagesPerEntry,
    crashes: { anyCase: costs.crashesAnyCase, anyCaseIsExact: costs.crashesAreExact, bestCase: nodes.length - costs.quorumSize.min },
    indispensable: nodes.filter((node) => coterie.quorumAvoiding(node, new Set([node])) === null),
    availability: availabilities(nodes, layout, costs.crashesAnyCase + 1, NODE_AVAILABILITIES),
    advice: adviseOn(nodes, costs),
  };
}

/** What two layouts of the same nodes are compared by. */
interface Costs {
  readonly layout: FamilyLayout;
  readonly quorumSize: Range;
  readonly load: Range;
  readonly messagesPerEntry: Range;
  readonly crashesAnyCase: number;
  readonly crashesAreExact: boolean;
}

function measure(coterie: Coterie, layout: FamilyLayout): Costs {
  const { nodes } = coterie;
  const asked = new Map(nodes.map((node) => [node, 0]));
  const sizes: number[] = [];
  const messages: number[] = [];
  for (const node of nodes) {
    const votingSet = coterie.votingSet(node);
    for (const member of votingSet) asked.set(member, (asked.get(member) ?? 0) + 1);
    sizes.push(votingSet.length);
    messages.push(3 * votingSet.filter((member) => member !== node).length);
  }
  const blocking = smallestBlockingSize(nodes, layout);
  return {
    layout,
    quorumSize: rangeOf(sizes),
    load: rangeOf([...asked.values()], nodes.length),
    messagesPerEntry: rangeOf(messages),
    crashesAnyCase: blocking.size - 1,
    crashesAreExact: blocking.isExact,
  };
}

function adviseOn(nodes: readonly NodeId[], own: Costs): Advice[] {
  // The plane of three nodes is their majority.
  const hasPlane = nodes.length > 3 && planeOrder(nodes.length) !== null;
  const layouts = [layoutOf('majority', nodes), layoutOf('grid', nodes), ...(hasPlane ? [layoutOf('plane', nodes)] : [])];
  const others = layouts.map((layout) => measure(buildCoterie(nodes, layout), layout));
  return others
    .filter((other) => !others.some((third) => isBetter(third, other)))
    .flatMap((other) => {
      const kind = compare(other, own);
      return kind === null ? [] : [adviceOf(kind, other)];
    });
}

function compare(other: Costs, own: Costs): Advice['kind'] | null {
  if (isBetter(other, own)) return 'better';
  if (other.quorumSize.max < own.quorumSize.max) return 'smaller';
  if (own.crashesAreExact && other.crashesAnyCase > own.crashesAnyCase) return 'tougher';
  return null;
}

function isBetter(other: Costs, own: Costs): boolean {
  const gains = [own.quorumSize.max - other.quorumSize.max, own.load.max - other.load.max, other.crashesAnyCase - own.crashesAnyCase];
  return own.crashesAreExact && gains.every((gain) => gain >= 0) && gains.some((gain) => gain > 0);
}

function adviceOf(kind: Advice['kind'], { layout, quorumSize, messagesPerEntry, crashesAnyCase }: Costs): Advice {
  return {
    kind,
    family: layout.family,
    ...(layout.family === 'grid' ? { columns: layout.columns.length } : {}),
    quorumSizeMax: quorumSize.max,
    messagesPerEntryMax: messagesPerEntry.max,
    crashesAnyCase,
  };
}

/** Of the values in the given unit. */
function rangeOf(values: readonly number[], unit = 1): Range {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { min: min / unit, max: max / unit, mean: mean / unit };
}
