/** ARCHITECTURE.md says exactly what ESLint enforces, and the folders that it names are those that there are. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
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
