/** What tests read of the documentation: blocks of code, code in a line, links and headings. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './packed';

export interface Block {
  /** File and line of its first line of code, for a test's name. */
  readonly place: string;
  readonly file: string;
  readonly language: string;
  readonly text: string;
}

export interface Line {
  readonly place: string;
  readonly text: string;
}

/** Written by npm, the build, Jest, API Extractor and TypeDoc; the last copies what the README links to. */
const GENERATED: ReadonlySet<string> = new Set(['node_modules', join('bench', 'peers', 'node_modules'), 'dist', 'coverage', join('docs', 'api'), join('docs', 'reference')]);

/** All of the repository, relative to its root. */
export function markdownFiles(folder = ''): string[] {
  const entries = readdirSync(join(ROOT, folder), { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith('.') || GENERATED.has(path) ? [] : markdownFiles(path);
    return path.endsWith('.md') ? [path] : [];
  });
}

export function read(file: string): string {
  return readFileSync(join(ROOT, file), 'utf8');
}

export function blocksOf(file: string): Block[] {
  const text = read(file);
  return [...text.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(({ 1: language = '', 2: code = '', index }) => {
    const line = text.slice(0, index).split('\n').length + 1;
    return { place: `${file}:${line}`, file, language, text: code };
  });
}

/** Lines outside of blocks. */
export function proseOf(file: string): Line[] {
  const prose = read(file).replace(/^```[^]*?^```$/gm, (block) => block.replace(/.+/g, ''));
  return prose.split('\n').map((text, index) => ({ place: `${file}:${index + 1}`, text }));
}

/** The code in a line of prose. */
export function codeIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code);
}

/** The commands of the shell blocks, without comments. A command is one line. */
export function commandsOf(file: string): Line[] {
  return blocksOf(file).filter(({ language }) => language === 'sh').flatMap(({ place, text }) => {
    const first = Number(place.split(':')[1]);
    return text.split('\n')
      .map((line, index) => ({ place: `${file}:${first + index}`, text: line.replace(/\s+#.*$|^#.*$/, '').trim() }))
      .filter(({ text: command }) => command !== '');
  });
}

/** As GitHub names the anchor of a heading. */
export function anchorsOf(file: string): string[] {
  return proseOf(file).flatMap(({ text }) => /^#+ (.*)$/.exec(text)?.[1] ?? [])
    .map((heading) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replace(/ /g, '-'));
}
