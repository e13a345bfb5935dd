/**
 * `npm run sim:picture`: draws the example of sim/README.md anew. Replays the saved plan with the bug planted
 * that it stands for, and photographs its page in a headless Chromium.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { replayPlanFile } from '../minimise';
import { MUTANTS } from '../mutants/catalogue';
import { loadMutant } from '../mutants/load';
import { Browser, findChromium } from './browser';
import { EXAMPLE } from './example';
import { pageHtml, recordRun } from './index';

/** To be run from the project's folder, as mutants are. */
async function main(): Promise<void> {
  const chromium = findChromium();
  if (chromium === null) throw new RangeError('there is no Chromium here: install one, or name its program with CHROMIUM');
  const mutant = MUTANTS.find(({ name }) => name === EXAMPLE.mutant);
  if (mutant === undefined) throw new RangeError(`there is no mutant ${EXAMPLE.mutant}`);
  const core = loadMutant(mutant);
  const { report } = replayPlanFile(readFileSync(EXAMPLE.plan, 'utf8'), { core });
  if (report.violation?.check !== EXAMPLE.check) throw new RangeError(`${EXAMPLE.plan} no longer violates ${EXAMPLE.check}: take another seed that does, with --minimise ${EXAMPLE.plan}`);
  const { recording } = recordRun(report.plan, { core, title: `Seed ${report.plan.seed}, minimised`, subtitle: [EXAMPLE.command] });
  const folder = mkdtempSync(join(tmpdir(), 'maekawa-picture-'));
  const browser = new Browser(chromium);
  try {
    const page = join(folder, 'page.html');
    writeFileSync(page, pageHtml(recording));
    await browser.open(page, 1280, 720);
    await browser.setColorScheme('light');
    writeFileSync(EXAMPLE.picture, await browser.screenshot());
    process.stdout.write(`${EXAMPLE.picture} drawn\n`);
  } finally {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error: unknown) => {
  if (!(error instanceof RangeError)) throw error;
  process.stderr.write(`error: ${error.message}\n`);
  process.exitCode = 2;
});
