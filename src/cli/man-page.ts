/** A page of the manual in the language of man(7). */
import type { Command } from 'commander';
import { pageName, sectionsOf } from './manual';
import type { Block, Entry } from './page';

export function formatManPage(command: Command, version: string): string {
  const lines = [`.TH ${pageName(command).toUpperCase()} 1 "" "maekawa ${version}" "User Commands"`];
  for (const { title, blocks } of sectionsOf(command)) {
    lines.push(`.SH ${title}`);
    blocks.forEach((block, index) => {
      const source = title === 'NAME' ? nameLines(block) : title === 'SYNOPSIS' ? synopsisLines(block) : blockLines(block);
      lines.push(...(index > 0 && block.kind === 'text' ? ['.PP'] : []), ...source);
    });
  }
  return `${lines.join('\n')}\n`;
}

/** whatis(1) reads this line. The name of the page stands for the command. */
function nameLines(block: Block): string[] {
  if (block.kind !== 'text') return [];
  const [path = '', summary = ''] = block.text.split(' - ');
  return [`${path.replaceAll(' ', '\\-')} \\- ${escape(summary)}`];
}

function synopsisLines(block: Block): string[] {
  if (block.kind !== 'text') return [];
  const at = block.text.search(/ [[<]/);
  return [`.B ${escape(block.text.slice(0, at))}`, escape(block.text.slice(at + 1))];
}

function blockLines(block: Block): string[] {
  switch (block.kind) {
    case 'text':
      return [withBold(block.text)];
    case 'entries':
      return [...(block.heading === undefined ? [] : [`.SS ${escape(block.heading.replace(/:$/, ''))}`]), ...block.entries.flatMap(entryLines)];
    case 'examples':
      return block.examples.flatMap(([line, remark]) => ['.TP', `.B ${escape(line)}`, remark === undefined ? '\\&' : escape(remark)]);
  }
}

function entryLines([term, text]: Entry): string[] {
  return ['.TP', `.B ${escape(term)}`, withBold(text)];
}

/** What stands between backquotes is typed as it is. */
function withBold(text: string): string {
  return text.split('`').map((part, index) => (index % 2 === 0 ? escape(part) : `\\fB${escape(part, index > 0)}\\fR`)).join('');
}

/** Nothing in it is a command of roff. */
function escape(text: string, isWithin = false): string {
  const safe = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq').replaceAll('"', '\\(dq');
  return isWithin ? safe : safe.replace(/^\./, '\\&.');
}
