// `npm run check`: everything that must hold before a change lands. CI runs this very list, after `npm ci` (.ci/run).
import { runSteps } from './run-steps.mjs';

// Each on the programs that the first step builds: `npm run sim` and its like would build them again.
const steps = [
  'npm run build',
  // The same hashes, and the same library. It fetches Node.js as the tests of the package do, so not at the same time.
  'npm run test:newest-node',
  // Promises times, so nothing but its own nodes competes with it at its priority.
  'node dist/src/cli/main.js demo',
  // Takes a seed that goes on for long for one that hangs, so it must not wait for a core.
  'node dist/sim/mutants/main.js',
];

// What computes and never waits. First those that use one core alone.
const beside = [
  { run: 'npm run lint', nodeMin: '20.19' },
  'npm run typecheck',
  'npm run docs',
  'npm run api:check',
  // Five million states: a writer and two readers, one message doubled, one who gives up.
  'node dist/sim/explore/main.js --requests 3 --shared 2 --duplicate 1 --cancel 1',
  // That all that should come up does come up, a test of a few hundred seeds shows (test/sim/sometimes).
  'node dist/sim/main.js --seeds 1..3000',
  'node dist/sim/clients-main.js --seeds 1..5000',
];

// What a failed test leaves open must not keep Jest from ending. The package is installed as its users do, on the oldest and the
// newest Node.js.
process.exit(await runSteps(steps, { beside, tests: 'npx jest --forceExit', env: { MAEKAWA_PACKAGE: 'registry' } }));
