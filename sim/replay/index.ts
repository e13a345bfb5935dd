/** Traces of real nodes: read them, feed them through the core again, show them. */
export { merge } from './merge';
export type { MergedStep } from './merge';
export { recordTraces } from './record-traces';
export { describeDifference, replay } from './replay';
export type { Difference } from './replay';
export { isTraceFile, readTrace } from './trace-file';
export type { TracedLife, TracedStep } from './trace-file';
