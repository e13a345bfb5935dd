/**
 * The law and those who cite it: docs/protocol.md has every section, rule, invariant and planted bug that is named,
 * and names none that is not there.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { PLANTABLE } from '../../sim/mutants/catalogue';
import { RULES } from '../../sim/mutants/rules';
import { CLIENT_CHECKS } from '../../sim/clients/check';
import { codeIn, markdownFiles, proseOf, read } from './markdown';
import { ROOT } from './packed';

const PAGE = 'docs/protocol.md';
const FOLDERS = ['src', 'sim', 'test', 'proto'];
/** It shows what a wrong citation looks like. */
const SELF = 'test/package/protocol.test.ts';

interface Text {
  readonly file: string;
  readonly text: string;
}

const citing: readonly Text[] = [...FOLDERS.flatMap(sourcesIn), ...markdownFiles().filter((file) => file !== PAGE)]
  .filter((file) => file !== SELF)
  .map((file) => ({ file, text: read(file) }));

function sourcesIn(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => join(folder, path))
    .filter((path) => /\.(ts|js|proto|txt)$/.test(path) && !path.includes('node_modules'));
}

/** `6`, `6.1`: the numbers of the headings. */
function sectionsOf(page: string): string[] {
  return [...page.matchAll(/^#{2,3} (\d+(?:\.\d+)?)\.? /gm)].map(([, number = '']) => number);
}

const NUMBER = String.raw`\d+(?:\.\d+)?`;

/** The sections that a text cites, one by one: of `sections 2 to 4 and 9` these are 2, 3, 4 and 9. */
function citationsIn(text: string): string[] {
  const cited = [...text.matchAll(new RegExp(String.raw`protocol\.md sections? (${NUMBER}(?:(?:, | and | to )${NUMBER})*)`, 'g'))];
  return cited.flatMap(([, list = '']) => list.split(/, | and /).flatMap((part) => {
    const [first = '', last = first] = part.split(' to ');
    return first === last ? [first] : Array.from({ length: Number(last) - Number(first) + 1 }, (_, index) => String(Number(first) + index));
  }));
}

/** Citations in another form than `protocol.md section N`. Those of the paper are its own. */
function oddCitationsIn(text: string): string[] {
  const others = text.replace(/(?:protocol\.md|Maekawa 1985) sections? \d/g, '');
  return [...others.matchAll(/\bsections? \d+|\S* ?§ ?\d+/g)].map(([cited]) => cited);
}

/** The names of rules that a text cites, as in `rules holder-first and holder-spreads`. */
function rulesIn(text: string): string[] {
  return [...text.matchAll(/\brules? ([a-z]+(?:-[a-z]+)+)(?: and ([a-z]+(?:-[a-z]+)+))?/g)].flatMap(([, first = '', second]) => second === undefined ? [first] : [first, second]);
}

/** The members of a union of strings, wherever it is declared below `folder`. */
function namesOf(type: string, folder: string): string[] {
  const names = sourcesIn(folder).filter((file) => file.endsWith('.ts')).flatMap((file) => {
    const source = ts.createSourceFile(file, readFileSync(join(ROOT, file), 'utf8'), ts.ScriptTarget.Latest);
    return source.statements.filter(ts.isTypeAliasDeclaration).filter((each) => each.name.text === type).flatMap((each) => {
      const members = ts.isUnionTypeNode(each.type) ? each.type.types : [each.type];
      return members.map((member) => (ts.isLiteralTypeNode(member) && ts.isStringLiteral(member.literal) ? member.literal.text : member.kind.toString()));
    });
  });
  if (names.length === 0) throw new Error(`no type ${type} below ${folder}`);
  return names;
}

/** The lines of one section, its subsections included. */
function linesOf(number: string): string[] {
  const lines = proseOf(PAGE).map(({ text }) => text);
  const start = lines.findIndex((line) => line.startsWith(`## ${number}. `));
  const length = lines.slice(start + 1).findIndex((line) => line.startsWith('## '));
  return start < 0 ? [] : lines.slice(start, length < 0 ? undefined : start + 1 + length);
}

const page = read(PAGE);
const invariants = [...new Set([...namesOf('LocalInvariant', 'src/core'), ...namesOf('Check', 'sim')])];
const mutants = PLANTABLE.map(({ name }) => name);
/** `- **holder-first.** …` */
const rules = [...page.matchAll(/\*\*([a-z]+(?:-[a-z]+)+)\.\*\*/g)].map(([, name = '']) => name);

describe('sections', () => {
  const sections = sectionsOf(page);

  test('are numbered without a gap', () => {
    const chapters = sections.filter((number) => !number.includes('.'));
    expect(chapters).toEqual(chapters.map((_, index) => String(index + 1)));
    for (const chapter of chapters) {
      const within = sections.filter((number) => number.startsWith(`${chapter}.`));
      expect(within).toEqual(within.map((_, index) => `${chapter}.${index + 1}`));
    }
  });

  test('that are cited exist', () => {
    const missing = citing.flatMap(({ file, text }) => citationsIn(text).filter((number) => !sections.includes(number)).map((number) => `${file}: section ${number}`));
    expect(missing).toEqual([]);
    expect(citing.flatMap(({ text }) => citationsIn(text)).length).toBeGreaterThan(200);
  });

  test('are cited in one form, protocol.md section N', () => {
    expect(citing.flatMap(({ file, text }) => oddCitationsIn(text).map((cited) => `${file}: ${cited}`))).toEqual([]);
  });

  test('that the page itself cites exist', () => {
    const cited = [...page.matchAll(new RegExp(String.raw`\[section (${NUMBER})\]|\bsection (${NUMBER})|\((${NUMBER})\)|\[(${NUMBER})\]\(#`, 'g'))]
      .map(([, ...numbers]) => numbers.find((number) => number !== undefined) ?? '');
    expect(cited.filter((number) => !sections.includes(number))).toEqual([]);
    expect(cited.length).toBeGreaterThan(20);
  });

  test('a citation that is wrong is found', () => {
    expect(citationsIn('Source: protocol.md sections 2 to 4, 9 and 12.1; protocol.md section 7.')).toEqual(['2', '3', '4', '9', '12.1', '7']);
    expect(oddCitationsIn('protocol.md section 3, Maekawa 1985 section 3')).toEqual([]);
    expect(oddCitationsIn('as protocol §6 says (section 7)')).toEqual(['protocol §6', 'section 7']);
  });
});

describe('invariants', () => {
  const rows = linesOf('10').flatMap((line) => /^\| `([a-z-]+)` \| \S.* \| \S.* \|$/.exec(line)?.[1] ?? []);

  test('of the core and checks of the simulator are the table of section 10, and nothing else is', () => {
    expect([...rows].sort()).toEqual([...invariants].sort());
  });
});

describe('rules', () => {
  test('that are cited by name are defined, and those that are defined are cited', () => {
    const cited = citing.flatMap(({ text }) => rulesIn(text));
    expect([...new Set(cited)].sort()).toEqual([...rules].sort());
  });

  test('a citation is found', () => {
    expect(rulesIn('(rules holder-first and holder-spreads), as rule no-such says')).toEqual(['holder-first', 'holder-spreads', 'no-such']);
  });
});

describe('planted bugs', () => {
  test('that are named exist: a name with a dash is a planted bug, an invariant, or a check of the clients', () => {
    const named = proseOf(PAGE).flatMap(({ text }) => codeIn(text)).filter((code) => /^[a-z]+(-[a-z]+)+$/.test(code));
    const known = [...mutants, ...invariants, ...Object.keys(CLIENT_CHECKS)];
    expect(named.filter((name) => !known.includes(name))).toEqual([]);
    expect(named.length).toBeGreaterThan(100);
  });

  test('in the last column of section 11 are planted bugs, and tests that there are', () => {
    const cells = linesOf('11').filter((line) => /^\| (?!rule |---)/.test(line)).map((line) => line.split(' | ')[2] ?? '');
    expect(cells.length).toBeGreaterThan(50);
    for (const cell of cells) {
      const links = [...cell.matchAll(/\[([^\]]+)\]\(\.\.\/([^)]+)\)/g)];
      expect([cell, codeIn(cell).length + links.length]).not.toEqual([cell, 0]);
      expect(codeIn(cell).filter((name) => !mutants.includes(name))).toEqual([]);
      for (const [, title = '', file = ''] of links) expect([title, read(file).includes(title)]).toEqual([title, true]);
    }
  });

  test('of the odd rules stand in section 11, each', () => {
    const named = linesOf('11').flatMap(codeIn);
    expect(RULES.map(({ name }) => name).filter((name) => !named.includes(name))).toEqual([]);
  });
});
