/** Which seed caught each mutant the last time: `seeds.json`. Must never decide anything: it only says where to look first. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** By the name of a mutant. */
export type Memory = Readonly<Record<string, number>>;

const FILE = resolve('sim/mutants/seeds.json');

export function recall(): Memory {
  return existsSync(FILE) ? JSON.parse(readFileSync(FILE, 'utf8')) as Memory : {};
}

export function remember(memory: Memory): void {
  writeFileSync(FILE, `${JSON.stringify(memory, null, 2)}\n`);
}
