/** Coteries: build one, check it, describe it. A pure leaf: it knows nothing of locks or time. Source: protocol.md section 8. */
export type { Coterie, NodeId, NodeSet } from './coterie';
export { buildCoterie } from './family';
export type { Family, FamilyLayout } from './family';
export { describeQuorums } from './describe';
export type { Advice, Availability, QuorumDescription, Range } from './describe';
export { layoutOf, squarestColumnCount } from './layouts';
export { nearestPlaneSizes, planeOrder } from './plane';
