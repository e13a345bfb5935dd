/**
 * Grid: the nodes stand in columns; all of one column and at least one node of every other column are
 * a quorum. Two quorums meet where the full column of one crosses the transversal of the other, so the
 * columns may be of different heights. Source: protocol.md section 8; Cheung, Ammar and Ahamad 1992.
 */
import type { Coterie, NodeId, NodeSet } from './coterie';

interface Place {
  readonly column: number;
  readonly row: number;
}

export class Grid implements Coterie {
  readonly nodes: readonly NodeId[];
  private readonly places: ReadonlyMap<NodeId, Place>;
  /** How many members each column has; reused by every `containsQuorum`. */
  private readonly counts: Uint32Array;

  /** `nodes` gives the order; `columns` names each of them exactly once, and none is empty. */
  constructor(
    nodes: readonly NodeId[],
    private readonly columns: readonly (readonly NodeId[])[],
  ) {
    this.nodes = nodes;
    this.places = new Map(columns.flatMap((nodesOf, column) => nodesOf.map((node, row) => [node, { column, row }])));
    this.counts = new Uint32Array(columns.length);
  }

  containsQuorum(members: NodeSet): boolean {
    const { counts, columns } = this;
    counts.fill(0);
    let columnsMet = 0;
    let hasFullColumn = false;
    for (const member of members.keys()) {
      const column = this.places.get(member)?.column;
      if (column === undefined) continue;
      const count = (counts[column] ?? 0) + 1;
      counts[column] = count;
      if (count === 1) columnsMet++;
      if (count === columns[column]?.length) hasFullColumn = true;
    }
    return hasFullColumn && columnsMet === columns.length;
  }

  votingSet(node: NodeId): readonly NodeId[] {
    const { column, row } = this.placeOf(node);
    return this.inOrder(this.columns.flatMap((nodes, each) => (each === column ? nodes : nodes.slice(row % nodes.length).slice(0, 1))));
  }

  quorumAvoiding(node: NodeId, down: NodeSet): readonly NodeId[] | null {
    const { column, row } = this.placeOf(node);
    const { columns } = this;
    const full = columns.map((_, index) => index).filter((index) => columns[index]?.every((each) => !down.has(each)));
    // Its own column; else nodes of one column turn to different ones.
    const chosen = full.includes(column) ? column : full[(column + row) % full.length];
    if (chosen === undefined) return null;
    const quorum: NodeId[] = [];
    for (const [index, nodes] of columns.entries()) {
      if (index === chosen) {
        quorum.push(...nodes);
      } else {
        const up = nodes.filter((each) => !down.has(each));
        const crossing = nodes[row % nodes.length];
        const substitute = crossing !== undefined && !down.has(crossing) ? crossing : up[(column + row) % up.length];
        if (substitute === undefined) return null;
        quorum.push(substitute);
      }
    }
    return this.inOrder(quorum);
  }

  private placeOf(node: NodeId): Place {
    return this.places.get(node) ?? { column: 0, row: 0 };
  }

  private inOrder(quorum: readonly NodeId[]): NodeId[] {
    const chosen = new Set(quorum);
    return this.nodes.filter((node) => chosen.has(node));
  }
}
