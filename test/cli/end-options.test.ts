import { endOptions } from '../../src/cli/end-options';
import { createProgram } from '../../src/cli/program';

/** The arguments as one line. */
function ended(line: string): string {
  return endOptions(createProgram(), line.split(' ')).join(' ');
}

test.each([
  ['lock x make -n', 'lock x -- make -n'],
  ['lock x --try make -n', 'lock x --try -- make -n'],
  ['lock --try x make --try', 'lock --try x -- make --try'],
  ['lock x --wait 10s make -j 2', 'lock x --wait 10s -- make -j 2'],
  ['lock x --wait=10s make', 'lock x --wait=10s -- make'],
  ['lock x -w 10s make', 'lock x -w 10s -- make'],
  ['lock x -w10s make', 'lock x -w10s -- make'],
  ['lock x -sw 10s make', 'lock x -sw 10s -- make'],
  ['lock x -sn make', 'lock x -sn -- make'],
  ['lock -a y -a z x cp - there', 'lock -a y -a z x -- cp - there'],
  ['lock -- x -- make -n', 'lock -- x make -n'],
  ['lock --try -- x --', 'lock --try -- x'],
  ['steal x ./repair.sh --json', 'steal x -- ./repair.sh --json'],
])('maekawa %s is read as maekawa %s', (typed, read) => {
  expect(ended(typed)).toBe(read);
});

test.each(['lock x', 'lock x --try', 'lock x -- make -n', 'lock -- -x make', 'lock x --wait', 'status --json', 'quorums init --nodes 3', 'nonsense x y', ''])(
  'maekawa %s is left as it is', (typed) => {
    expect(ended(typed)).toBe(typed);
  },
);

test.each(['lock -v -- ./job.sh', 'lock -- x make', 'lock -s -- sh -c x', 'lock -n -- x', 'steal --verbose -- ./repair.sh'])(
  'maekawa %s is refused: what was to be the name may have been taken for an option', (typed) => {
    expect(() => ended(typed)).toThrow(/^the name of the lock is missing before --. To write a name after it, end it with another one: maekawa (lock|steal) -- NAME -- COMMAND$/);
  },
);
