/** A page of the manual as plain text for a terminal. */
import type { Block, Entry, Manual, Section } from './page';

const INDENT = 2;
const WIDTH_MAX = 100;
/** Longer terms stand on a line of their own. */
const TERM_WIDTH_MAX = 26;

export function formatHelp(sections: readonly Section[], terminalWidth: number): string {
  const width = Math.min(terminalWidth, WIDTH_MAX);
  return sections.map(({ title, blocks }) => `${title}\n${blocks.map((block) => formatBlock(block, width)).join('\n\n')}\n`).join('\n');
}

function formatBlock(block: Block, width: number): string {
  switch (block.kind) {
    case 'text':
      return wrap(block.text, INDENT, width);
    case 'entries': {
      const heading = block.heading === undefined ? '' : `${indent(INDENT)}${block.heading}\n`;
      return `${heading}${formatEntries(block.entries, block.heading === undefined ? INDENT : 2 * INDENT, width)}`;
    }
    case 'examples':
      return formatExamples(block.examples);
  }
}

function formatEntries(entries: readonly Entry[], by: number, width: number): string {
  const termWidth = Math.min(TERM_WIDTH_MAX, Math.max(...entries.map(([term]) => term.length)));
  const at = by + termWidth + 2;
  return entries
    .map(([term, text]) => {
      const body = wrap(text, at, width);
      return term.length > termWidth ? `${indent(by)}${term}\n${body}` : `${indent(by)}${term.padEnd(termWidth)}  ${body.trimStart()}`;
    })
    .join('\n');
}

function formatExamples(examples: Manual['examples']): string {
  const lineWidth = Math.max(...examples.filter(([, remark]) => remark !== undefined).map(([line]) => line.length), 0);
  return examples
    .map(([line, remark]) => `${indent(INDENT)}${remark === undefined ? line : `${line.padEnd(lineWidth)}   ${remark}`}`)
    .join('\n');
}

/** Words on lines, each indented. */
function wrap(text: string, by: number, width: number): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && by + line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((each) => `${indent(by)}${each}`).join('\n');
}

function indent(by: number): string {
  return ' '.repeat(by);
}
