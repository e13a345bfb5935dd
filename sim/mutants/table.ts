/** What the hunts found, as text. */
import { commandFor } from '../outcome/words';
import type { Hunt } from './hunt';
import type { Mutant } from './mutant';

const CHECK_WIDTH = 14;

export function tableHead(mutants: readonly Mutant[]): string {
  return `${'mutant'.padEnd(nameWidth(mutants))}  ${'caught by'.padEnd(CHECK_WIDTH)}  seed  events  what is wrong with it [what is fixed in the run]\n`;
}

export function huntRow(mutant: Mutant, { caught, others }: Hunt, mutants: readonly Mutant[]): string {
  const name = mutant.name.padEnd(nameWidth(mutants));
  const what = `${mutant.what}${fixed(mutant)}\n`;
  if (caught !== null) {
    const events = caught.isHung === true ? 'hangs' : String(caught.events);
    return `${name}  ${caught.check.padEnd(CHECK_WIDTH)}  ${String(caught.seed).padStart(4)}  ${events.padStart(6)}  ${what}`;
  }
  const instead = others.map(({ check, seed, isHung }) => `${isHung === true ? 'hangs' : check} at seed ${seed}`);
  return `${name}  SURVIVED: not caught by ${mutant.caughtBy.join(' or ')}${instead.length === 0 ? '' : `, only ${instead.join(', ')}`}; ${what}`;
}

/** The options to replay it with. */
function fixed({ hunt = {}, clients }: Mutant): string {
  if (clients !== undefined) return ` [sim:clients${clients.profile === undefined ? '' : ` --profile ${clients.profile}`}]`;
  const [, options = ''] = commandFor(0, hunt).split('--seed 0 ');
  return options === '' ? '' : ` [${options}]`;
}

/** How many each check caught, the most first: a check that never fails may be unable to. */
export function byCheck(hunts: Iterable<Hunt>): string {
  const counts = new Map<string, number>();
  for (const { caught } of hunts) if (caught !== null) counts.set(caught.check, (counts.get(caught.check) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([check, count]) => `${check} ${count}`).join(', ');
}

export function summary(count: number, missed: readonly Mutant[]): string {
  if (missed.length === 0) return `all ${count} mutants were caught, each by a check that stands for what it breaks`;
  return `${missed.length} of ${count} mutants survived: ${missed.map(({ name }) => name).join(', ')}`;
}

function nameWidth(mutants: readonly Mutant[]): number {
  return Math.max(...mutants.map(({ name }) => name.length));
}
