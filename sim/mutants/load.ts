/**
 * Loads the core with some of its source text changed, into modules of its own. The production core, on
 * disk and in memory, stays as it is. To be run from the project's folder: it reads src/core there.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { compileFunction } from 'node:vm';
import type * as TypeScript from 'typescript';
import * as coterie from '../../src/quorum/coterie';
import type { Machines } from '../clients/machines';
import type { Core } from '../core';
import type { Change, Mutant } from './mutant';

type Require = (name: string) => unknown;

const CORE_FOLDER = resolve('src/core');

/** Compiled modules without a change: the same for every mutant. */
const unchanged = new Map<string, string>();

/** @throws Error when a change fits the source no more: then the mutant must be written anew */
export function loadMutant({ name, changes }: Pick<Mutant, 'name' | 'changes'>): Core & Machines {
  const loaded = new Map<string, Record<string, unknown>>();
  const load = (file: string): Record<string, unknown> => {
    const known = loaded.get(file);
    if (known !== undefined) return known;
    const exports: Record<string, unknown> = {};
    loaded.set(file, exports);
    const ownChanges = changes.filter((change) => `${change.file}.ts` === file);
    const require: Require = (other) => (other === '../quorum/coterie' ? coterie : load(fileNamed(other)));
    const run = compileFunction(compiled(file, name, ownChanges), ['exports', 'require'], { filename: `${name}/${file}` }) as
      (exports: Record<string, unknown>, require: Require) => void;
    run(exports, require);
    return exports;
  };
  return load('index.ts') as unknown as Core & Machines;
}

/** Why a mutant fits the source no more, or null: the core was changed where its bug is planted. */
export function misfitOf({ name, changes }: Pick<Mutant, 'name' | 'changes'>): string | null {
  try {
    for (const file of new Set(changes.map((change) => change.file))) {
      changes.filter((change) => change.file === file).reduce((text, change) => applied(text, change, name), source(`${file}.ts`));
    }
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Beside the questions to a coterie, which stay as they are, the core imports values from its own folder alone. */
function fileNamed(specifier: string): string {
  const match = /^\.\/([a-z-]+)$/.exec(specifier);
  if (match === null) throw new Error(`the core imports ${specifier}, which mutants do not have`);
  return `${match[1]}.ts`;
}

function compiled(file: string, mutant: string, changes: readonly Change[]): string {
  if (changes.length > 0) return compile(changes.reduce((text, change) => applied(text, change, mutant), source(file)));
  let code = unchanged.get(file);
  if (code === undefined) {
    code = compile(source(file));
    unchanged.set(file, code);
  }
  return code;
}

function source(file: string): string {
  return readFileSync(join(CORE_FOLDER, file), 'utf8');
}

function applied(text: string, { file, replace, by }: Change, mutant: string): string {
  const occurrences = text.split(replace).length - 1;
  if (occurrences !== 1) throw new Error(`mutant ${mutant}: src/core/${file}.ts has ${occurrences} places, not 1, that read: ${replace}`);
  // As a function: text that replaces may hold a dollar sign.
  return text.replace(replace, () => by);
}

function compile(text: string): string {
  // Only now: it takes longer to load than a seed takes to run, and most runs plant no bug.
  const { ModuleKind, ScriptTarget, transpileModule } = createRequire(__filename)('typescript') as typeof TypeScript;
  return transpileModule(text, { compilerOptions: { target: ScriptTarget.ES2022, module: ModuleKind.CommonJS } }).outputText;
}
