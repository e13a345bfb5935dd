// The floors of the house (ARCHITECTURE.md), as ESLint holds every import to them. Data alone, so that a test can compare it with
// the table there on any version of Node.js.

// Each folder may import the folders named here, besides itself and the ground floor. Only `node` knows all others, for it puts
// them together.
export const layers = {
  quorum: [],
  core: ['quorum'],
  config: ['quorum'],
  fencing: ['core'],
  transport: ['core'],
  runtime: ['config', 'core', 'quorum', 'transport'],
  locks: ['core', 'quorum', 'runtime', 'transport'],
  'client-protocol': ['core', 'locks', 'transport'],
  service: ['client-protocol', 'config', 'core', 'locks', 'transport'],
  client: ['client-protocol', 'config', 'core', 'locks', 'runtime', 'transport'],
  node: ['client', 'client-protocol', 'config', 'core', 'locks', 'quorum', 'runtime', 'service', 'transport'],
  testing: ['config', 'core', 'fencing', 'locks', 'node', 'quorum', 'runtime', 'transport'],
  cli: ['client', 'client-protocol', 'config', 'core', 'locks', 'node', 'quorum', 'runtime', 'service', 'transport'],
};

export const groundFloor = ['./arguments.ts', './errors.ts', './lock-name.ts', './log.ts', './standard-output.ts', './version.ts', './visible.ts'];
