// `npm run check`: everything that must hold before a change lands. CI runs this very list, after `npm ci` (.ci/run).
import { runSteps } from './run-steps.mjs';

const steps = [
  'npm run build',
  // Each keeps one core busy. The last is on the newest Node.js: the same hashes, and the same library.
  [{ run: 'npm run lint', nodeMin: '20.19' }, 'npm run typecheck', 'npm run docs', 'npm run api:check', 'npm run test:newest-node'],
  'npm run sim -- --seeds 1..10000',
  'npm run sim:clients -- --seeds 1..5000',
  'npm run sim:mutants',
  // Five million states: a writer and two readers, one message doubled, one who gives up.
  'npm run sim:explore -- --requests 3 --shared 2 --duplicate 1 --cancel 1',
  'npm run demo',
];

// What a failed test leaves open must not keep Jest from ending. The package is installed as its users do, on the oldest and the
// newest Node.js.
process.exit(await runSteps(steps, { tests: 'npm test -- --forceExit', env: { MAEKAWA_PACKAGE: 'registry' } }));
