/** The golden conversations of test/scenarios, and the engine that runs them. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createNode } from '../../src/core';
import { PRODUCTION_CORE } from '../../sim/core';
import { ScenarioError, runScenario } from '../../sim/scenario';

const FOLDER = join(__dirname, '../scenarios');
const FILES = readdirSync(FOLDER).filter((file) => file.endsWith('.txt'));

/** What happened in the last paragraph. */
function lastOutput(text: string): string[] {
  const lines = runScenario(text).output.trimEnd().split('\n');
  return lines.slice(lines.lastIndexOf('----') + 1);
}

describe('golden conversations', () => {
  test.each(FILES)('%s', (file) => {
    const path = join(FOLDER, file);
    const text = readFileSync(path, 'utf8');
    const { output, violations } = runScenario(text, { file: `test/scenarios/${file}` });
    if (process.env['UPDATE_SCENARIOS'] === '1') writeFileSync(path, output);
    else expect(output).toBe(text);
    expect(violations).toEqual([]);
  });
});

describe('the language', () => {
  test('scenario: its output is a scenario with the same output', () => {
    const { output } = runScenario('# two\nnodes 3 majority\n\nn1 acquires a\nn2 acquires a shared as bob\ndeliver all\n\nstatus');
    expect(runScenario(output).output).toBe(output);
    expect(output).toMatch(/^# two\nnodes 3 majority\n----\nok\n\nn1 acquires a\n/);
  });

  test('scenario: one message can be named, delivered twice, held back and lost', () => {
    const begin = 'nodes 3 majority\nretain off\n\nn1 acquires a\nduplicate Request\n\n';
    expect(lastOutput(`${begin}in flight`)).toEqual(['m1  n1 → n2  Request a (4)', 'm2  n1 → n2  Request a (4)']);
    expect(lastOutput(`${begin}drop m1\ndeliver to n2\n\nin flight`)).toEqual(['m3  n2 → n1  Grant a (4) #6']);
    expect(lastOutput(`${begin}deliver but m2\n\nin flight`)).toEqual(['m2  n1 → n2  Request a (4)', 'm3  n2 → n1  Grant a (4) #6']);
    expect(lastOutput(`${begin}deliver all but Grant n2 -> n1\n\ndrop from n2`)).toHaveLength(2);
    expect(lastOutput(`${begin}deliver all but n2 and m9`)).toEqual(['nothing to deliver']);
  });

  test('scenario: a node may start later than the others, with the wall clock of then, and lends its vote at once', () => {
    const begin = 'nodes 2 majority\nabsent n2\n\nn1 acquires a\ndeliver\n\n';
    expect(lastOutput(begin.trimEnd())).toEqual(['n1 → n2  Request a (2) keep', 'n1 → n2  Request a (2) keep is lost: n2 does not run']);
    expect(lastOutput(`${begin}advance 3 late\nstart n2\nup n2 at n1\ndeliver`)).toEqual([
      'n1 → n2  Request a (2) keep', 'n2 receives Request a (2) keep from n1', '  n2 → n1  Grant a (2) #3004',
    ]);
  });

  test('scenario: without handshakes no node knows the clock of another', () => {
    const acquire = (setting: string): string[] => lastOutput(`nodes 3 majority\n${setting}\n\nn1 acquires a`);
    expect(acquire('handshakes on')).toEqual(['n1 → n2  Request a (4) keep']);
    expect(acquire('handshakes off')).toEqual(['n1 → n2  Request a (2) keep']);
  });

  test('scenario: a broken core is caught in the act', () => {
    // An arbiter that never ran before need not be silent; one that did must be (protocol.md section 16).
    const core = { ...PRODUCTION_CORE, createNode: (...[settings, birth]: Parameters<typeof createNode>) => createNode(settings, { ...birth, firstStart: true }) };
    const text = `
      nodes 3 majority
      n1 acquires a
      deliver all
      crash n2
      restart n2
      up n2
      n3 acquires a
      drop to n1
      down n1 at n3
      deliver all but n1
    `.replaceAll(/^ +/gm, '');
    expect(runScenario(text).violations).toEqual([]);
    const { violations, output } = runScenario(text, { core });
    expect(violations).toEqual([expect.stringMatching(/^exclusion is broken: n1 holds a until \d+$/)]);
    expect(output).toContain('VIOLATION exclusion');
  });

  test.each([
    ['n1 acquires a', "begin with 'nodes 3 majority' or the like"],
    ['nodes 3 triangle', "'triangle' where majority or grid or plane or explicit was expected"],
    ['nodes three majority', "'three' where how many nodes was expected"],
    ['nodes 0 majority', 'no nodes, no locks'],
    ['nodes 2.5 majority', "'2.5' where how many nodes was expected"],
    ['drift 1', "'1' where a ratio such as 0.01 was expected"],
    ['nodes 3 majority\nadvance -1', "'-1' where milliseconds was expected"],
    ['nodes 4 plane', 'no projective plane of prime order has 4 points'],
    ['nodes 3 explicit {n1,n2}', '1 sets for 3 nodes: give each the set that it asks first'],
    ['nodes 3 explicit n1', "'n1' is no set of nodes such as {n1,n2}"],
    ['nodes 3 majority\nstatus\nlease 10', 'the nodes run already'],
    ['nodes 3 majority\ndance', "'dance' is no command"],
    ['nodes 3 majority\nn1 wants a', "'wants' where acquires or steals or releases was expected"],
    ['nodes 3 majority\nn1 acquires', 'the name of a lock is missing at the end'],
    ['nodes 3 majority\nn4 acquires a', 'there is no n4, only n1 n2 n3'],
    ['nodes 3 majority\nn1 releases a', 'nobody wants a at n1'],
    ['nodes 3 majority\nn1 releases a as bob', 'nobody called bob wants a at n1'],
    ['nodes 3 majority\nn1 acquires a as bob\nn1 acquires a as bob', 'bob wants a at n1 already'],
    ['nodes 3 majority\ndeliver n1 -> Grant', "'Grant' where a node such as n1 was expected"],
    ['nodes 3 majority\ndeliver all the rest', "'the rest' is too much"],
    ['nodes 3 majority\ncrash n1\nn1 acquires a', 'n1 does not run'],
    ['nodes 3 majority\npause n1\nn1 acquires a', 'n1 is paused'],
    ['nodes 3 majority\nresume n1', 'n1 is not paused'],
    ['nodes 3 majority\nrestart n1', 'n1 runs'],
    ['nodes 3 majority\nstart n1', 'n1 has started before: restart it'],
    ['nodes 3 majority\nabsent n2\nrestart n2', 'n2 has not started yet: start it'],
    ['nodes 3 majority\nabsent n4\nstatus', 'there is no n4, only n1 n2 n3'],
    ['nodes 3 majority\nstatus\nabsent n2', 'the nodes run already'],
  ])('scenario: a mistake in it is explained with file and line: %j', (text, problem) => {
    const line = text.split('\n').length;
    expect(() => runScenario(text, { file: 'some.txt' })).toThrow(new ScenarioError(`some.txt:${line}: ${problem}`));
  });
});
