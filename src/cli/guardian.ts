/**
 * Ends a command whose `maekawa lock` was killed with SIGKILL and can do nothing itself. A shell reads a
 * pipe; when the pipe ends without a last word, nobody keeps the lock any more, and it acts within the
 * grace, which ends before the lease does. Law: it does not outlive what it watches.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/**
 * Arguments: what to send first; seconds until SIGKILL; the mark of the command and of what it started; `all`
 * to end also what left the group. Without a group, this process ended in the moment when it started the
 * command: then the mark tells (on Linux). The timer is a process that is called off when nobody is left, so that
 * the KILL is in time however long a look at all processes takes, and no later owner of the group's number gets it.
 */
const SCRIPT = `
how=$1 grace=$2 mark=$3 whom=$4 group=
read -r group
while read -r word; do how=$word; done
[ "$how" = DONE ] && exit
marked() {
  [ -z "$group" ] || [ "$whom" = all ] || return
  grep -lsF "$mark" /proc/[0-9]*/environ # empty for a zombie
}
look() { # at what /proc tells of a process: sets its state and its group
  read -r fields <"$1" || return
  fields=\${fields##*) } # the name of the program, in parentheses, may contain anything
  state=\${fields%% *} fields=\${fields#* * }
  itsGroup=\${fields%% *}
}
signal() {
  [ -n "$group" ] && kill "-$1" "-$group"
  for file in $(marked); do
    pid=\${file#/proc/} pid=\${pid%/environ}
    look "/proc/$pid/stat" || continue
    [ "$itsGroup" = "$group" ] || kill "-$1" "$pid"
  done
}
groupLives() {
  [ -n "$group" ] && kill -0 "-$group" || return
  [ -r /proc/self/stat ] || return 0
  # Where nobody reaps orphans (as in many containers) the dead stay in their group for ever.
  for file in /proc/[0-9]*/stat; do
    look "$file" && [ "$itsGroup" = "$group" ] || continue
    case $state in [ZX]) ;; *) return 0 ;; esac
  done
  return 1
}
signal "$how"
sleep "$grace" &
timer=$!
{
  while groupLives || [ -n "$(marked)" ]; do sleep 0.2; done
  kill "$timer"
} &
watcher=$!
wait "$timer" || exit
kill "$watcher"
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
