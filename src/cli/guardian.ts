/**
 * Ends a command whose `maekawa lock` can do nothing itself: it was killed with SIGKILL, or it is stopped, or has no CPU. A
 * shell reads a pipe. When the pipe ends without a last word, nobody keeps the lock any more, and it acts at once; when no word
 * comes in time, it acts when the end of the lease is near. Law: the command has ended before the lease does, and the guardian
 * does not outlive what it watches.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/**
 * Arguments: what to send first; the mark of the command and of what it started; `all` to end also what left the group. One line
 * says the group. Until it came, this process was stopped or ended in the moment when it started the command: then the mark
 * tells (on Linux). Each other line says what to send first, after how many seconds, and how many later SIGKILL.
 *
 * The timers are processes that are called off, so that each signal is in time however long a look at all processes takes, and
 * no later owner of the group's number gets one. The clock of the last line either is called off in time, and ends with 1, or
 * ends the command; then there is nothing left to do but to wait for it.
 */
const SCRIPT = `
first=$1 grace=0 mark=$2 whom=$3 group= clock=
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
    # A lock within this one has a mark behind ours. Whoever keeps it passes SIGTERM on.
    [ "$1" != TERM ] || ! grep -qsF "$mark " "$file" || continue
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
end() {
  signal "$first"
  sleep "$grace" &
  timer=$!
  {
    while groupLives || [ -n "$(marked)" ]; do sleep 0.2; done
    kill -KILL "$timer"
  } &
  watcher=$!
  wait "$timer" || exit 0
  kill -KILL "$watcher"
  signal KILL
}
wind() {
  nap=
  trap '[ -z "$nap" ] || kill "$nap"; exit 1' TERM
  sleep "$1" &
  nap=$!
  wait "$nap"
  trap '' TERM
  echo acts
  end
}
stopClock() {
  [ -n "$clock" ] || return
  kill "$clock"
  ! wait "$clock" || exit 0
}
while read -r word seconds later; do
  if [ "$word" = GROUP ]; then # the clock that runs acts by the mark; the next one knows the group
    group=$seconds
    continue
  fi
  stopClock
  [ "$word" != DONE ] || exit 0
  first=$word grace=$later
  wind "$seconds" &
  clock=$!
done
stopClock
end
`;

/** It acts so much of the grace later than `maekawa` does, so that only one of them does. */
const LATER_SHARE = 0.1;

export class Guardian {
  /** It has begun to end the command, because no word came in time. */
  hasActed = false;
  private readonly shell: ChildProcess;

  /** Start it before the command, and tell it how long the lock is valid, so that there is no moment without. */
  constructor(private readonly first: 'TERM' | 'KILL', mark: string, whom: 'group' | 'all') {
    this.shell = spawn('/bin/sh', ['-c', SCRIPT, 'maekawa-guardian', first, mark, whom], {
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true, // what ends our group, or a terminal that closes, must not end it
      env: { PATH: process.env['PATH'] },
    });
    // Without a shell, or when somebody killed it, there is no guardian; the lock is as good as ever.
    this.shell.on('error', () => undefined);
    this.shell.stdin?.on('error', () => undefined);
    this.shell.stdout?.on('error', () => undefined).on('data', () => (this.hasActed = true));
    // A pipe to a child is a socket.
    (this.shell.stdout as Socket | null)?.unref();
    this.shell.unref();
  }

  watch(group: number | undefined): void {
    if (group !== undefined) this.say(`GROUP ${group}`);
  }

  /** The lock is valid for so long; the command gets the grace between SIGTERM and the end, but for `killShare` of it. */
  validFor(validForMs: number, graceMs: number, killShare: number): void {
    this.act(this.first, validForMs - graceMs * (1 - LATER_SHARE), graceMs * (1 - LATER_SHARE - killShare));
  }

  /** The command was told to end. From now on the end of this process means that it is to be killed at once, and so does this time. */
  allowNoGrace(killInMs: number): void {
    this.act('KILL', killInMs, 0);
  }

  dismiss(): void {
    this.say('DONE');
    this.shell.stdin?.end();
    this.shell.stdout?.destroy();
  }

  private act(first: 'TERM' | 'KILL', inMs: number, thenMs: number): void {
    this.say(`${first} ${seconds(inMs)} ${seconds(thenMs)}`);
  }

  private say(word: string): void {
    this.shell.stdin?.write(`${word}\n`);
  }
}

function seconds(ms: number): string {
  return (Math.max(0, ms) / 1000).toFixed(2);
}
