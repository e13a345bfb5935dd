/** What the hunts found, as text. */
import type { Hunt } from './hunt';
import type { Mutant } from './mutant';

const CHECK_WIDTH = 13;

export function tableHead(mutants: readonly Mutant[]): string {
  return `${'mutant'.padEnd(nameWidth(mutants))}  ${'caught by'.padEnd(CHECK_WIDTH)}  seed  events  what is wrong with it\n`;
}

export function huntRow(mutant: Mutant, { caught, others, hung }: Hunt, mutants: readonly Mutant[]): string {
  const name = mutant.name.padEnd(nameWidth(mutants));
  if (caught !== null) {
    const { check, seed, events } = caught;
    return `${name}  ${check.padEnd(CHECK_WIDTH)}  ${String(seed).padStart(4)}  ${String(events).padStart(6)}  ${mutant.what}\n`;
  }
  const instead = others.length === 0 ? '' : `; caught by ${others.map(({ check, seed }) => `${check} at seed ${seed}`).join(', ')} alone`;
  const why = hung === true ? 'it never came to an end' : `not caught by ${mutant.caughtBy.join(' or ')}${instead}`;
  return `${name}  SURVIVED: ${why}; ${mutant.what}\n`;
}

export function summary(count: number, missed: readonly Mutant[]): string {
  if (missed.length === 0) return `\nall ${count} mutants were caught, each by a check that stands for what it breaks\n`;
  return `\n${missed.length} of ${count} mutants survived: ${missed.map(({ name }) => name).join(', ')}\n`;
}

function nameWidth(mutants: readonly Mutant[]): number {
  return Math.max(...mutants.map(({ name }) => name.length));
}
