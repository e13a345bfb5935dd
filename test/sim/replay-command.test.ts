import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { explain, replayFiles } from '../../sim/explain';
import { EXIT, main } from '../../sim/main';
import { MUTANTS } from '../../sim/mutants/catalogue';
import { loadMutant } from '../../sim/mutants/load';
import { EXAMPLE } from '../../sim/page/example';
import { runPlan } from '../../sim/run';
import { runScenario } from '../../sim/scenario';
import { commandsOf } from '../package/markdown';
import { NO_SILENCE, failingPlan } from './broken-cores';

describe('npm run sim: what is written, and read again', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maekawa-explain-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const file = (name: string): string => join(folder, name);
  let said: string[];
  const write = (line: string): void => void said.push(line);
  beforeEach(() => (said = []));

  async function sim(...args: string[]): Promise<number> {
    return main(args, { write, isTerminal: false });
  }

  test('sim --minimise, --html, --shiviz: of a run that fails, the smallest is saved and shown, and it replays exactly', () => {
    const report = runPlan(failingPlan(NO_SILENCE, { nodes: 3, profile: 'swarm' }, (check) => check === 'exclusion'), { core: NO_SILENCE });
    explain(report, { minimise: file('small.json'), html: file('small.html'), shiviz: file('small.log') }, { core: NO_SILENCE, write });
    expect(said.join('\n')).toMatch(/minimised: exclusion: /);
    expect(readFileSync(file('small.html'), 'utf8')).toContain(`Seed ${report.plan.seed}, minimised`);
    expect(readFileSync(file('small.log'), 'utf8').split('\n').length).toBeLessThan(2 * 30);

    said = [];
    expect(replayFiles([file('small.json')], {}, { core: NO_SILENCE, write })).toBe(false);
    expect(said[0]).toContain('the very run that was saved');
    expect(said[1]).toMatch(/^VIOLATION of exclusion: /);
  });

  test('sim --replay: the example of the README fails as it says, is the very run that was saved, and its scenario is up to date', async () => {
    expect(await sim('--replay', EXAMPLE.plan, '--mutant', EXAMPLE.mutant)).toBe(EXIT.violation);
    expect(said.join('')).toContain('the very run that was saved');
    expect(said.join('')).toContain(`VIOLATION of ${EXAMPLE.check}: `);
    const mutant = MUTANTS.find(({ name }) => name === EXAMPLE.mutant);
    if (mutant === undefined) throw new Error('its mutant is gone');
    const scenario = readFileSync(EXAMPLE.scenario, 'utf8');
    expect(runScenario(scenario, { core: loadMutant(mutant) }).output).toBe(scenario);
    // And the sound core holds the conversation otherwise.
    expect(runScenario(scenario).output).not.toBe(scenario);
  });

  /** Of the pages on the simulator. To minimise takes long and has a test above; a file that another command writes is not there. */
  const planted = ['sim/README.md', 'sim/page/README.md'].flatMap(commandsOf)
    .map(({ place, text }) => ({ place, args: text.replace(/^npm run sim -- /, '').replace(/ --minimise\b/, '').replace(/run\.html/, file('page.html')).split(' ') }))
    .filter(({ args }) => args.includes('--mutant') && !args.some((arg) => arg.startsWith('minimal-')))
    .filter(({ args }, index, all) => all.findIndex((other) => other.args.join() === args.join()) === index);

  test.each(planted)('the command at $place finds what was planted', async ({ args }) => {
    expect(await sim(...args)).toBe(EXIT.violation);
    expect(said.join('')).toContain('VIOLATION of ');
  });

  test('there are such commands', () => {
    expect(planted.length).toBeGreaterThanOrEqual(3);
  });

  test('sim --replay: a saved plan that no longer fails ends with 0', async () => {
    expect(await sim('--replay', file('small.json'))).toBe(EXIT.clean);
    expect(said.join('')).toContain('not the run that was saved');
  });

  test('sim --minimise: a seed that fails nowhere is left as it is', async () => {
    expect(await sim('--seed', '1', '--minimise', '--html', file('one.html'))).toBe(EXIT.clean);
    expect(said.join('')).toContain('nothing to minimise');
    expect(readFileSync(file('one.html'), 'utf8')).toContain('"title":"Seed 1"');
  });

  test('sim --replay: a file that is neither plan nor trace is refused', async () => {
    writeFileSync(file('other.txt'), 'hello');
    expect(await sim('--replay', file('other.txt'))).toBe(EXIT.usage);
    expect(said.join('')).toContain('is neither a saved plan nor a trace of a node');
    expect(await sim('--replay', file('none.txt'))).toBe(EXIT.usage);
  });
});
