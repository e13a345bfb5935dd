/** What a page of the manual is made of. `manual.ts` lays pages out; `help-text.ts` and `man-page.ts` write them. Types alone. */
import type { ExitCodeName } from './exit-codes';

export interface Manual {
  /** What it does, in whole sentences: a string each paragraph. */
  readonly description: readonly string[];
  /** What the description ends with. */
  readonly table?: readonly Entry[];
  /** What it passes to other programs, or reads, besides the variables of its options. */
  readonly environment?: readonly Entry[];
  /** Besides 0 for success; with a meaning of its own where the general one says too little. */
  readonly exitCodes: readonly (ExitCodeName | readonly [ExitCodeName, string])[];
  /** A command line, and what it does where that is not plain. */
  readonly examples: readonly (readonly [line: string, remark?: string])[];
}

export type Entry = readonly [term: string, text: string];

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'entries'; readonly heading?: string; readonly entries: readonly Entry[] }
  | { readonly kind: 'examples'; readonly examples: Manual['examples'] };

export interface Section {
  readonly title: string;
  readonly blocks: readonly Block[];
}
