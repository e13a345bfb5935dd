/** ARCHITECTURE.md says exactly what ESLint enforces, and the folders that it names are those that there are. No import goes in a circle. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { VERSION } from '../../src/version';
import { proseOf, read } from './markdown';
import { ROOT } from './packed';

interface Enforced {
  readonly layers: Readonly<Record<string, readonly string[]>>;
  readonly groundFloor: readonly string[];
}

/** An ES module, which Jest does not import. */
function enforced(): Enforced {
  const script = "import { groundFloor, layers } from './eslint.layers.mjs'; console.log(JSON.stringify({ groundFloor, layers }));";
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT, encoding: 'utf8' })) as Enforced;
}

const lines = proseOf('ARCHITECTURE.md').map(({ text }) => text);

function foldersIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** Folders of `src` and what each may import: `| 3 | `src/runtime` | role | `config`, `core` | must never |`. */
function allowedIn(table: readonly string[]): [floor: number, folder: string, allowed: string[]][] {
  return table.flatMap((line): [number, string, string[]][] => {
    const [, floor = '', folder = '', allowed = ''] = /^\| (\d) \| `src\/([a-z-]+)` \| [^|]+ \| ([^|]+) \| [^|]+ \|$/.exec(line) ?? [];
    if (folder === '') return [];
    return [[Number(floor), folder, allowed === 'nothing' ? [] : allowed.split(', ').map((each) => each.replace(/^`(.*)`$/, '$1'))]];
  });
}

describe('the table of floors', () => {
  const rows = allowedIn(lines);
  const { layers, groundFloor } = enforced();

  test('says of each folder what ESLint lets it import', () => {
    expect(read('eslint.config.mjs')).toContain("from './eslint.layers.mjs'");
    expect(Object.fromEntries(rows.map(([, folder, allowed]) => [folder, [...allowed].sort()])))
      .toEqual(Object.fromEntries(Object.entries(layers).map(([folder, allowed]) => [folder, [...allowed].sort()])));
  });

  test('has each folder of src, once', () => {
    expect(rows.map(([, folder]) => folder).sort()).toEqual(foldersIn('src').sort());
  });

  test('lets nobody import from above, nor from beside', () => {
    const floorOf = new Map(rows.map(([floor, folder]) => [folder, floor]));
    const upward = rows.flatMap(([floor, folder, allowed]) => allowed.filter((each) => (floorOf.get(each) ?? Infinity) >= floor).map((each) => `${folder} → ${each}`));
    expect(upward).toEqual([]);
  });

  test('names the files of the ground floor', () => {
    const files = lines.flatMap((line) => /^\| `src\/([a-z-]+\.ts)` \|/.exec(line)?.[1] ?? []);
    expect(files.map((file) => `./${file}`).sort()).toEqual([...groundFloor].sort());
  });

  test('a row that differs is seen', () => {
    expect(allowedIn(['| 3 | `src/runtime` | role | `config`, `core` | decide |', '| 0 | `src/quorum` | role | nothing | know |', '| x |']))
      .toEqual([[3, 'runtime', ['config', 'core']], [0, 'quorum', []]]);
  });
});

test('the table of the simulator has each room of sim', () => {
  const rooms = lines.flatMap((line) => /^\| `sim\/([a-z-]+)` \|/.exec(line)?.[1] ?? []);
  expect(rooms.sort()).toEqual(foldersIn('sim').sort());
});

describe('imports, those of types included', () => {
  type Imports = ReadonlyMap<string, readonly string[]>;

  function filesIn(folder: string): string[] {
    return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)).filter((path) => path.endsWith('.ts'));
  }

  function importsIn(files: readonly string[]): Imports {
    return new Map(files.map((file) => {
      const { importedFiles } = ts.preProcessFile(readFileSync(join(ROOT, file), 'utf8'));
      const paths = importedFiles.map(({ fileName }) => fileName).filter((path) => path.startsWith('.')).map((path) => join(dirname(file), path));
      const imported = paths.flatMap((path) => [`${path}.ts`, join(path, 'index.ts')].find((each) => existsSync(join(ROOT, each))) ?? []);
      return [file, [...new Set(imported)]];
    }));
  }

  /** One circle for each file that a walk meets again on its own way. */
  function circlesIn(imports: Imports): string[] {
    const circles: string[] = [];
    const done = new Set<string>();
    const path: string[] = [];
    const visit = (file: string): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (path.includes(file) || done.has(file)) return;
      path.push(file);
      for (const imported of imports.get(file) ?? []) visit(imported);
      path.pop();
      done.add(file);
    };
    for (const file of imports.keys()) visit(file);
    return circles;
  }

  const imports = importsIn(['src', 'sim'].flatMap(filesIn));

  test('go in no circle', () => {
    expect(circlesIn(imports)).toEqual([]);
  });

  test('are found: a type, and what is handed on', () => {
    expect(imports.get('src/core/arbiter.ts')).toEqual(expect.arrayContaining(['src/core/messages.ts', 'src/core/priority.ts']));
    expect(imports.get('src/core/index.ts')).toContain('src/core/events.ts');
    expect([...imports.values()].flat().length).toBeGreaterThan(500);
  });

  test('in a circle are found', () => {
    expect(circlesIn(new Map([['a', ['b', 'c']], ['b', ['c']], ['c', ['b', 'd']], ['d', []]]))).toEqual(['b → c → b']);
    expect(circlesIn(new Map([['a', ['a']]]))).toEqual(['a → a']);
    expect(circlesIn(new Map([['a', ['b', 'c']], ['b', ['c']], ['c', []]]))).toEqual([]);
  });
});

test('the version in the code is that of the package', () => {
  expect(VERSION).toBe((JSON.parse(read('package.json')) as { version: string }).version);
});
