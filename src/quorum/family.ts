/** The families of coteries and what a configuration says of each. Source: protocol.md section 8. */
import type { Coterie, NodeId } from './coterie';
import { Grid } from './grid';
import { ListedSets } from './listed';
import { Majority } from './majority';
import { plane } from './plane';

/** How the quorums of a configuration are made. */
export type FamilyLayout =
  /** The columns, each from its first row down. Ragged ones are fine. */
  | { readonly family: 'grid'; readonly columns: readonly (readonly NodeId[])[] }
  | { readonly family: 'majority' }
  | { readonly family: 'plane' }
  /** For each node the set that it asks first. Any of the sets is a quorum. */
  | { readonly family: 'explicit'; readonly sets: Readonly<Record<NodeId, readonly NodeId[]>> };

export type Family = FamilyLayout['family'];

/** The layout must be sound for these nodes: src/config explains what is wrong with one that is not. */
export function buildCoterie(nodes: readonly NodeId[], layout: FamilyLayout): Coterie {
  switch (layout.family) {
    case 'grid':
      return new Grid(nodes, layout.columns);
    case 'majority':
      return new Majority(nodes);
    case 'plane':
      return plane(nodes);
    case 'explicit': {
      const entries = nodes.map((node) => [node, layout.sets[node] ?? []] as const);
      const first = new Map(entries.map(([node], index) => [node, index]));
      return new ListedSets(nodes, entries.map(([, set]) => set), first);
    }
  }
}
