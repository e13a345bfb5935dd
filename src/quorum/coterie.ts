/**
 * What the rest of the system may ask of a coterie: the set of all quorums of a configuration.
 * A pure leaf: it knows nodes and sets of nodes, nothing of locks, time or networks.
 * Law: any two quorums of one coterie share a node. Source: protocol.md section 8.
 */

/** A node's name, unique in its configuration, e.g. `n1`. */
export type NodeId = string;

/** The part of a set of nodes that a quorum test reads. `Set<NodeId>` and `Map<NodeId, …>` both fit. */
export interface NodeSet {
  readonly size: number;
  /** Whether it contains the node. */
  has(node: NodeId): boolean;
  /** Its nodes. */
  keys(): IterableIterator<NodeId>;
}

/** All quorums of a configuration. */
export interface Coterie {
  /** Every node of the configuration, in the order of the configuration. */
  readonly nodes: readonly NodeId[];

  /**
   * Whether `members` is a quorum or contains one. Called at every Grant, so it takes microseconds
   * even for a thousand nodes. Members that are no nodes of the configuration count for nothing.
   */
  containsQuorum(members: NodeSet): boolean;

  /**
   * The quorum that `node` asks first. Differs from node to node, so that the load is spread.
   * In the order of the configuration.
   */
  votingSet(node: NodeId): readonly NodeId[];

  /**
   * A quorum of nodes that are not in `down`, or null when there is none. Different nodes get
   * different substitutes where the coterie has several, so that the load of a dead member is spread.
   * Deterministic: the same arguments give the same quorum.
   */
  quorumAvoiding(node: NodeId, down: NodeSet): readonly NodeId[] | null;
}

/** Whether each quorum has one of these nodes: what some quorum knew, one of them has known. */
export function meetsEveryQuorum(coterie: Coterie, members: Pick<NodeSet, 'has'>): boolean {
  return !coterie.containsQuorum(new Set(coterie.nodes.filter((node) => !members.has(node))));
}
