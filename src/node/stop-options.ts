/** What users say when they stop a node. Apart from the code that stops it: the types of users reach none of the runtime's. */

/** How `MaekawaNode.stop` stops a node. */
export interface StopOptions {
  /**
   * For so many milliseconds what is held may go on, by callers of this process and by clients: the node renews it, and lends
   * its vote to others. It stops as soon as nothing is held any more. At most 2^31 − 1. Default 0.
   */
  readonly graceMs?: number;
}
