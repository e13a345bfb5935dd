/** Property tests that say how to replay a failure. */
import { relative } from 'node:path';
import fc from 'fast-check';

/** `endOnFailure`: report what failed as it was drawn, where making it smaller would take minutes. */
type More = Pick<fc.Parameters, 'endOnFailure'>;

/** Every run draws a new seed, unless the environment names one. */
export function holds<Values>(property: fc.IProperty<Values>, runs = 200, more: More = {}): void {
  fc.assert(property, { ...replayable<Values>(runs), ...more });
}

/** As `holds`, for properties that take turns with others. */
export async function holdsAsync<Values>(property: fc.IAsyncProperty<Values>, runs = 200): Promise<void> {
  await fc.assert(property, replayable<Values>(runs));
}

function replayable<Values>(runs: number): fc.Parameters<Values> {
  const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const { testPath = '', currentTestName = '' } = expect.getState();
  return {
    numRuns: runs,
    seed,
    reporter: (details) => {
      if (!details.failed) return;
      const replay = `SEED=${seed} npx jest ${relative(process.cwd(), testPath)} -t '${currentTestName.replace(/[^\w :,-]/g, '.')}'`;
      throw new Error(`Replay with: ${replay}\n\n${fc.defaultReportMessage(details)}`);
    },
  };
}
