/** `--help`, the man pages and the completion scripts: all made from the same definitions. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { modelOf, withSubcommands } from '../../src/cli/completion-model';
import { bashScript, fishScript, zshScript } from '../../src/cli/completion-scripts';
import type { Cluster } from '../../src/cli/demo/cluster';
import { formatHelp } from '../../src/cli/help-text';
import { formatManPage } from '../../src/cli/man-page';
import { pageName, pathOf, sectionsOf, subcommandsOf } from '../../src/cli/manual';
import { createProgram } from '../../src/cli/program';
import { PROGRAM, Program, startCluster } from '../support/processes';

const root = join(__dirname, '../..');
const program = createProgram();
const model = modelOf(program);

function all(command: Command): Command[] {
  return [command, ...subcommandsOf(command).flatMap(all)];
}

function isInstalled(tool: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${tool}`]).status === 0;
}

/** Visible where it is skipped. */
function testWith(tool: string): jest.It {
  return isInstalled(tool) ? test : test.skip;
}

describe('each command', () => {
  test.each(all(program).map((command) => [pathOf(command), command] as const))('%s has a description, exit codes and examples that name it', (path, command) => {
    const titles = sectionsOf(command).map(({ title }) => title);
    expect(titles).toEqual(expect.arrayContaining(['NAME', 'SYNOPSIS', 'DESCRIPTION', 'OPTIONS', 'EXIT STATUS', 'EXAMPLES']));
    expect(formatHelp(sectionsOf(command), 80)).toContain(`\n  ${path}`);
  });

  test.each(all(program).map((command) => [pathOf(command), command] as const))('the help of %s is no wider than the terminal, but for examples', (_path, command) => {
    for (const section of sectionsOf(command)) {
      if (section.title === 'EXAMPLES') continue;
      for (const line of formatHelp([section], 80).split('\n')) expect([line, line.length <= 80]).toEqual([line, true]);
    }
  });

  test('every example is one that the command line understands', () => {
    const known = new Set(withSubcommands(model).map(({ path }) => path));
    for (const command of all(program)) {
      for (const { kind, ...block } of sectionsOf(command).flatMap(({ blocks }) => blocks)) {
        if (kind !== 'examples' || !('examples' in block)) continue;
        for (const [line] of block.examples) {
          const [, first = '', second = ''] = /maekawa (\S+) ?(\S*)/.exec(line) ?? [];
          if (first === 'COMMAND') continue;
          expect([line, known.has(first) || known.has(`${first} ${second}`)]).toEqual([line, true]);
          const { options } = withSubcommands(model).find(({ path }) => path === `${first} ${second}`) ?? withSubcommands(model).find(({ path }) => path === first) ?? model;
          const own = line.replace(/ -- .*| \| .*| > .*| && .*/, '');
          for (const flag of own.match(/ --?[a-z][a-z-]*/g) ?? []) expect([line, options.flatMap(({ flags }) => flags)]).toEqual([line, expect.arrayContaining([flag.trim()])]);
        }
      }
    }
  });
});

test('maekawa lock --help is the page, on standard output', async () => {
  const help = new Program(['lock', '--help']);
  expect(await help.ended).toBe(0);
  expect(help.output).toMatch(/^NAME\n {2}maekawa lock - run a command while holding a lock\n/);
  expect(help.output).toMatch(/EXIT STATUS[^]*124 +the lock was not free/);
});

describe('the man pages', () => {
  const pages = all(program).map((command) => [`${pageName(command)}.1`, formatManPage(command, '0')] as const);

  test('are built for each command, and named in package.json', () => {
    const { man } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { man: string[] };
    const names = pages.map(([file]) => `./dist/man/${file}`).sort();
    expect([...man].sort()).toEqual(names);
    expect(readdirSync(join(root, 'dist/man')).map((file) => `./dist/man/${file}`).sort()).toEqual(names);
  });

  test('begin with what whatis reads, and no line of text is taken for a command', () => {
    for (const [file, text] of pages) {
      expect(text.split('\n')[2]?.replaceAll('\\-', '-')).toMatch(new RegExp(`^${file.slice(0, -2)} - \\S`));
      for (const line of text.split('\n')) if (line.startsWith('.')) expect(line).toMatch(/^\.(TH|SH|SS|TP|PP|B)\b/);
    }
  });

  testWith('man')('are read by man without a warning', () => {
    const directory = mkdtempSync(join(tmpdir(), 'maekawa-man-'));
    for (const [file, text] of pages) {
      const path = join(directory, file);
      writeFileSync(path, text);
      const { status, stdout, stderr } = spawnSync('man', ['--warnings', '-l', path], { encoding: 'utf8', env: { ...process.env, MANWIDTH: '80', LC_ALL: 'C.UTF-8' } });
      expect([file, status, stderr]).toEqual([file, 0, '']);
      expect(stdout).toMatch(/^NAME/m);
    }
    rmSync(directory, { recursive: true });
  });
});

describe('completion', () => {
  let cluster: Cluster;
  let holder: Program;
  let directory: string;

  beforeAll(async () => {
    cluster = await startCluster();
    directory = mkdtempSync(join(tmpdir(), 'maekawa-completion-'));
    writeFileSync(join(directory, 'maekawa'), `#!/bin/sh\nexec "${process.execPath}" "${PROGRAM}" "$@"\n`, { mode: 0o755 });
    writeFileSync(join(directory, 'quorums with blank.json'), '{}');
    holder = new Program(['lock', '--config', cluster.configFile, 'invoices', '--', 'sleep', '1000']);
    await holder.prints(/^$/);
  });
  afterAll(async () => {
    holder.signal('SIGTERM');
    await holder.ended;
    await cluster.remove();
    rmSync(directory, { recursive: true });
  });

  function environment(): NodeJS.ProcessEnv {
    return { ...process.env, PATH: `${directory}:${process.env['PATH'] ?? ''}`, MAEKAWA_CONFIG: cluster.configFile };
  }

  /** The same for each shell: what is typed, and what is offered for its last word. */
  const cases: readonly (readonly [line: string, offered: readonly string[]])[] = [
    ['maekawa ', ['node', 'lock', 'elect', 'steal', 'who', 'watch', 'status', 'quorums', 'demo', 'completion']],
    ['maekawa st', ['steal', 'status']],
    ['maekawa lock --s', ['--semaphore', '--shared', '--shell']],
    ['maekawa lock --on-lost ', ['term', 'kill', 'ignore']],
    ['maekawa lock ', ['invoices']],
    ['maekawa who inv', ['invoices']],
    ['maekawa lock x --also ', ['invoices']],
    ['maekawa lock --node ', ['n1', 'n2', 'n3']],
    ['maekawa node --id n', ['n1', 'n2', 'n3']],
    ['maekawa quorums ', ['init', 'check', 'describe', 'change']],
    ['maekawa quorums init --family ', ['grid', 'majority', 'plane', 'explicit']],
    ['maekawa lock x --config q', ['quorums with blank.json']],
    ['maekawa lock --wait ', []],
    ['maekawa completion ', ['bash', 'zsh', 'fish']],
    ['maekawa lock x -- cat q', ['quorums with blank.json']],
    ['maekawa lock x --try -- maek', ['maekawa']],
    ['maekawa lock x cat q', ['quorums with blank.json']],
  ];

  testWith('bash')('bash', () => {
    // As bash calls it: the words of the line, and which of them is being typed.
    const ask = cases.map(([line]) => {
      const words = line.split(' ').map((word) => `'${word}'`);
      return `COMP_WORDS=(${words.join(' ')}); COMP_CWORD=${words.length - 1}; COMPREPLY=(); _maekawa; printf '%s\\n' "\${COMPREPLY[@]}" | sort -u; echo ==`;
    });
    expectOffers(() => spawnSync('bash', ['--norc', '-c', `${bashScript(model)}\n${ask.join('\n')}`], { encoding: 'utf8', cwd: directory, env: environment() }));
  });

  testWith('fish')('fish', () => {
    const ask = cases.map(([line]) => `complete -C '${line}' | string replace -r '\\t.*' ''; echo ==`);
    expectOffers(() => spawnSync('fish', ['--no-config', '-c', `${fishScript(model)}\n${ask.join('\n')}`], { encoding: 'utf8', cwd: directory, env: environment() }));
  });

  const zshWays = [['sourced', 'compinit -u -d dump && source <(cat _maekawa)'], ['in a folder of $fpath', 'fpath=($PWD $fpath) && compinit -u -d dump']] as const;
  for (const [way, load] of zshWays) testWith('zsh')(`zsh, its script ${way}`, () => {
    // Each line is typed, with Tab after it, at the prompt of a shell on a terminal of its own.
    const settings = mkdtempSync(join(directory, 'zsh-'));
    writeFileSync(join(settings, '_maekawa'), zshScript(model));
    writeFileSync(join(settings, '.zshrc'), `
cd -q ${settings} && autoload -U compinit && ${load} && cd -q $OLDPWD
PS1=
compadd() {
  # With these it offers nothing, and only tells the caller what matches.
  [[ \${@[1,(i)(-|--)]} == *-(O|A|D)\\ * ]] && { builtin compadd "$@"; return }
  local -a __matches
  builtin compadd -A __matches "$@"
  (( $#__matches )) && print -rl -- $__matches >> ${settings}/offers
  builtin compadd "$@"
}
complete-and-tell() {
  _main_complete
  compstate[insert]= compstate[list]=
  print -r -- '==' >> ${settings}/offers
  print -n '<answered>'
}
zle -C complete-and-tell complete-word complete-and-tell
bindkey '^I' complete-and-tell
print -n '<ready>'
`);
    const type = (line: string): string => `zpty -w -n shell '${line}'$'\\t'; zpty -r shell answer '*<answered>'; zpty -w -n shell $'\\C-u'`;
    const ask = ['zmodload zsh/zpty', 'zpty shell zsh -i', "zpty -r shell answer '*<ready>'", ...cases.map(([line]) => type(line)), 'zpty -d shell'];
    const offers = join(settings, 'offers');
    expectOffers(() => {
      rmSync(offers, { force: true });
      const { stderr, error } = spawnSync('zsh', ['-f', '-c', ask.join('\n')], { encoding: 'utf8', cwd: directory, env: { ...environment(), ZDOTDIR: settings, TERM: 'dumb' }, timeout: 30_000 });
      expect(error).toBeUndefined(); // such as that no answer came
      return { stdout: readFileSync(offers, 'utf8'), stderr };
    });
  });

  test('what cannot be asked is not offered, without a word', async () => {
    const program = new Program(['complete', 'lock', '--config', join(directory, 'none.json')]);
    expect(await program.ended).toBe(64);
    expect(program.output).toBe('');
  });

  /** A node that is slow to answer offers nothing: then all is asked again. */
  function expectOffers(ask: () => { stdout: string; stderr: string }): void {
    const expected = cases.map(([line, offered]) => [line, [...offered].sort()]);
    for (let attempts = 1; ; attempts++) {
      const { stdout, stderr } = ask();
      expect(stderr).toBe('');
      const offers = stdout.replaceAll('\\ ', ' ').split('==\n').slice(0, -1).map((text) => text.split('\n').filter((word) => word !== '').sort());
      const actual = cases.map(([line], index) => [line, offers[index]]);
      if (attempts < 5 && JSON.stringify(actual) !== JSON.stringify(expected)) continue;
      expect(actual).toEqual(expected);
      return;
    }
  }
});
