/** A message on its way between nodes, and whether a command means it. */
import type { Message, NodeId } from '../../src/core';
import type { Selector } from './commands';

export interface InFlight {
  readonly ordinal: number;
  readonly from: NodeId;
  readonly to: NodeId;
  readonly message: Message;
}

export function fits({ ordinal, from, to, message }: InFlight, selector: Selector): boolean {
  return (selector.ordinal === null || selector.ordinal === ordinal)
    && (selector.kind === null || selector.kind === message.kind)
    && (selector.from === null || selector.from === from)
    && (selector.to === null || selector.to === to)
    && (selector.at === null || selector.at === from || selector.at === to);
}
