/** Property tests that say how to replay a failure. */
import { relative } from 'node:path';
import fc from 'fast-check';

/** Every run draws a new seed, unless the environment names one. */
export function holds<Values>(property: fc.IProperty<Values>, runs = 200): void {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const { testPath = '', currentTestName = '' } = expect.getState();
  fc.assert(property, {
    numRuns: runs,
    seed,
    reporter: (details) => {
      if (!details.failed) return;
      const replay = `SEED=${seed} npx jest ${relative(process.cwd(), testPath)} -t '${currentTestName.replace(/[^\w :,-]/g, '.')}'`;
      throw new Error(`${fc.defaultReportMessage(details)}\n\nReplay with: ${replay}`);
    },
  });
}
