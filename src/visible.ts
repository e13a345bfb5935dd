/**
 * Text that somebody else chose, such as a lock's name, a holder's label, what a peer answered or what stands in a file, as it
 * may reach a terminal or a log. Law: nothing that comes out steers a terminal, or passes for a line of its own.
 */

/** Control characters, line ends, and signs that turn the direction of text. */
const STEERING = /[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

/** On one line; what would steer as an escape, as JSON has it. */
export function visible(text: string): string {
  return text.replace(STEERING, escaped);
}

/** The same for text of our own on several lines, in which each foreign part was made `visible` before: its line ends stay. */
export function visibleLines(text: string): string {
  return text.replace(STEERING, (sign) => (sign === '\n' ? sign : escaped(sign)));
}

/** JSON on one line that is harmless to look at. Those who read it by a program get what was there. */
export function visibleJson(value: unknown): string {
  return visible(JSON.stringify(value));
}

function escaped(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
