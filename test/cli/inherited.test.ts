/** The command of `maekawa lock` finds what it would find without us. What is not ours to set is compared with a run without us. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../../src/cli/demo/cluster';
import { PROGRAM, Started, startCluster } from '../support/processes';

/** What only /proc can tell. */
const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('what is inherited', () => {
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = await startCluster({ leaseMs: 3_000 });
  });
  afterAll(() => cluster.remove());

  /** `$lock` takes a lock named `a` for the command that follows. */
  async function run(script: string): Promise<{ code: number | NodeJS.Signals; output: string; errors: string }> {
    const shell = new Started(['sh', '-c', script], {
      cwd: cluster.directory,
      env: { ...process.env, MAEKAWA_CONFIG: cluster.configFile, maekawa: `${process.execPath} ${PROGRAM}`, lock: `${process.execPath} ${PROGRAM} lock a` },
    });
    return { code: await shell.ended, output: shell.output, errors: shell.errors };
  }

  /** Of a script in which `$lock` stands before the command, and of the same without. */
  async function bothWays(script: string): Promise<readonly [string, string]> {
    const within = await run(script);
    const without = await run(`lock='nice -n 0'; ${script}`);
    expect(within.errors).toBe(without.errors);
    return [within.output, without.output];
  }

  test.each([
    ['an argument', `$lock -- printf '%s|' "$(printf 'caf\\351.txt')" '' 'a  b\\' '%=$x' "$(printf 'new\\nline\\377\\n.')" | od -An -c`],
    ['the name of the command', `x=$(printf '\\351=x'); printf '#!/bin/sh\\necho ran "$@"' >"$x"; chmod +x "$x"; $lock "./$x" with 'two words'`],
    ['a variable', `export V="$(printf 'caf\\351\\n.')"; $lock -- sh -c 'printf %s "$V"' | od -An -c`],
  ])('bytes that are no UTF-8: %s', async (_what, script) => {
    const [within, without] = await bothWays(script);
    expect(within).toBe(without);
    expect(within).not.toBe('');
  });

  test('bytes that are no UTF-8: in a line for --shell', async () => {
    const { output } = await run(`$lock --shell "printf '%s' caf$(printf '\\351') | od -An -c"`);
    expect(output.trim()).toBe('c   a   f 351');
  });

  test.each([
    ['a name', `$maekawa lock "$(printf 'x\\351')" -- true`],
    ['a label', `$lock --name "$(printf 'x\\351')" -- true`],
    ['a lock to ask for', `$maekawa who "$(printf 'x\\351')"`],
  ])('bytes that are no UTF-8 are refused in %s, for two names would be one', async (_what, script) => {
    const { code, errors } = await run(script);
    expect(code).toBe(64);
    expect(errors).toBe('maekawa: the argument "x\ufffd" holds bytes that are no UTF-8; only a command and its arguments may\n');
  });

  test('a sign that stands for such bytes is text like any other', async () => {
    const { code, output } = await run(`$maekawa lock '\ufffd' -- sh -c 'echo "$MAEKAWA_LOCK"'`);
    expect({ code, output }).toEqual({ code: 0, output: '\ufffd\n' });
  });

  test('a command with such an argument that is not there gives 127, one that cannot be executed 126', async () => {
    const missing = await run(`$lock no-such-command "$(printf '\\351')"`);
    expect(missing).toEqual({ code: 127, output: '', errors: 'maekawa: there is no command no-such-command; check its name and your PATH\n' });
    writeFileSync(join(cluster.directory, 'text'), '');
    expect((await run(`$lock ./text "$(printf '\\351')"`)).code).toBe(126);
  });

  test('descriptors beyond standard error are open, and no other', async () => {
    const [within, without] = await bothWays(
      `echo read >from; exec 4>to 5<from 7<>both; $lock -- sh -c 'for fd in 4 5 6 7 8; do echo "$fd $(readlink /proc/$$/fd/$fd)"; done; cat <&5; echo written >&4'`,
    );
    expect(within).toBe(without);
    expect(within).toMatch(/^4 .*\/to\n5 .*\/from\n6 \n7 .*\/both\n8 \nread\n$/);
    expect(readFileSync(join(cluster.directory, 'to'), 'utf8')).toBe('written\n');
  });

  test('make hands its job slots to a make inside', async () => {
    writeFileSync(join(cluster.directory, 'Makefile'), 'outer:\n\t+@$(lock) -- $(MAKE) --no-print-directory inner\ninner:\n\t@echo built\n');
    const { code, output, errors } = await run('command -v make >/dev/null || { echo built; exit; }; make -j2 outer');
    expect({ code, output, errors }).toEqual({ code: 0, output: 'built\n', errors: '' });
  });

  test.each([
    ['the limit of open files, which Node.js raises', 'ulimit -Sn 777; $lock -- sh -c "ulimit -Sn; ulimit -Hn"'],
    ['the limit of open files of somebody who set both', 'ulimit -n 555; $lock -- sh -c "ulimit -Sn; ulimit -Hn"'],
    ['variables whose names no shell takes', "ulimit -Sn 777; env 'a.b=1' 'f%%=() { :; }' $lock -- env | grep -e ^a.b= -e ^f%%"],
    [
      'the mask of new files, the directory by whichever way, the priority, signals at their defaults, the name that it was called by',
      `umask 027; mkdir real; ln -s real way; cd way; nice -n 3 $lock -- sh -c 'umask; pwd -L; nice; grep -e SigBlk -e SigIgn /proc/self/status; tr "\\0" " " </proc/$$/cmdline | cut -c1-5'`,
    ],
    ['flags of the standard streams', "$lock -- sh -c 'for fd in 0 1 2; do grep flags /proc/self/fdinfo/$fd; done' </dev/null | cat"],
  ])('%s', async (_what, script) => {
    const [within, without] = await bothWays(`rm -rf real way; ${script}`);
    expect(within).toBe(without);
    expect(within).not.toBe('');
  });
});
