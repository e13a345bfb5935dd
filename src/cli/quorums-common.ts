/** What the subcommands of `maekawa quorums` share. */
import { Argument } from 'commander';

/** Where a command writes; `process.stdout` fits. */
export interface Output {
  write(text: string): unknown;
}

/** The file that the other commands would use, unless another is named. */
export function fileArgument(): Argument {
  return new Argument('[file]', 'the configuration').default(process.env['MAEKAWA_CONFIG'] ?? 'quorums.json', 'quorums.json, or $MAEKAWA_CONFIG');
}

/** `1 node`, `2 nodes` */
export function countOf(value: number, noun: string): string {
  return `${value} ${noun}${value === 1 ? '' : 's'}`;
}
