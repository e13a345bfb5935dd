/**
 * Ends a command whose `maekawa lock` was killed with SIGKILL and can do nothing itself. A shell reads a
 * pipe; when the pipe ends without a last word, nobody keeps the lock any more, and it acts within the
 * grace, which ends before the lease does. Law: it never outlives its command without need.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/**
 * Arguments: what to send first; seconds until SIGKILL; the mark of the command and of what it started; `all`
 * to end also what left the group. Without a group, this process ended in the moment when it started the
 * command: then the mark tells (on Linux).
 */
const SCRIPT = `
how=$1 grace=$2 mark=$3 whom=$4 group=
read -r group
while read -r word; do how=$word; done
[ "$how" = DONE ] && exit
signal() {
  [ -n "$group" ] && kill "-$1" "-$group"
  [ -z "$group" ] || [ "$whom" = all ] || return
  for file in $(grep -lsF "$mark" /proc/[0-9]*/environ); do
    pid=\${file#/proc/} pid=\${pid%/environ}
    fields=$(cat "/proc/$pid/stat") || continue # the name of the program, in parentheses, may contain anything
    fields=\${fields##*) } fields=\${fields#* * }
    [ "\${fields%% *}" = "$group" ] || kill "-$1" "$pid"
  done
}
signal "$how"
sleep "$grace"
signal KILL
`;

export class Guardian {
  private readonly shell: ChildProcess;

  /** Start it before the command, so that there is no moment without. */
  constructor(first: 'TERM' | 'KILL', graceMs: number, mark: string, whom: 'group' | 'all') {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT, 'maekawa-guardian', first, (graceMs / 1000).toFixed(2), mark, whom], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // what ends our group, or a terminal that closes, must not end it
      env: { PATH: process.env['PATH'] },
    });
    // Without a shell, or when somebody killed it, there is no guardian; the lock is as good as ever.
    this.shell.on('error', () => undefined);
    this.shell.stdin?.on('error', () => undefined);
    this.shell.unref();
  }

  watch(group: number | undefined): void {
    this.say(group === undefined ? '' : String(group));
  }

  /** From now on the end of this process means that the command is to be killed at once. */
  allowNoGrace(): void {
    this.say('KILL');
  }

  dismiss(): void {
    this.say('DONE');
    this.shell.stdin?.end();
  }

  private say(word: string): void {
    this.shell.stdin?.write(`${word}\n`);
  }
}
