// The rules of style, and two of architecture: the core is pure, and imports run in one direction only.
import eslint from '@eslint/js';
import { importX } from 'eslint-plugin-import-x';
import regexp from 'eslint-plugin-regexp';
import tseslint from 'typescript-eslint';
import { groundFloor, layers } from './eslint.layers.mjs';

const zones = Object.entries(layers).map(([folder, allowed]) => ({
  target: `./src/${folder}`,
  from: './src',
  except: [`./${folder}`, ...allowed.map((each) => `./${each}`), ...(pure(folder) ? [] : groundFloor)],
  message: `src/${folder} may import ${allowed.length === 0 ? 'nothing of the other folders' : allowed.join(', ')} only.`,
}));
zones.push(
  { target: './sim', from: './src', except: ['./core', './quorum', './standard-output.ts'], message: 'The simulator drives the core alone.' },
  { target: './src', from: ['./sim', './bench', './test'], message: 'Production code knows no simulator, benchmark or test.' },
);

// The rooms of the simulator (sim/README.md), of which each may import those named here: a plan is drawn, checks judge, the world
// makes things happen, an outcome is written down; what shows, searches and replays runs comes after.
const simRooms = {
  plan: [],
  checks: ['core.ts', 'plan'],
  // It tells those who watch, and knows no witness by name.
  world: ['core.ts', 'plan', 'checks/scene.ts', 'checks/witness.ts'],
  outcome: ['core.ts', 'plan', 'checks', 'world'],
  scenario: ['core.ts'],
  clients: ['plan/random.ts', 'plan/clock-rates.ts', 'world/agenda.ts', 'world/machine-clock.ts', 'outcome/running-hash.ts'],
  replay: ['core.ts', 'page'],
  minimise: ['core.ts', 'plan', 'world', 'outcome', 'run.ts', 'page', 'scenario'],
};

for (const [room, allowed] of Object.entries(simRooms)) {
  zones.push({
    target: `./sim/${room}`,
    from: './sim',
    except: [`./${room}`, ...allowed.map((each) => `./${each}`)],
    message: `sim/${room} may import ${allowed.length === 0 ? 'nothing else of sim' : `${allowed.join(', ')} of sim only`}.`,
  });
}

function pure(folder) {
  return folder === 'core' || folder === 'quorum';
}

const impure = [
  'process', 'performance', 'setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask', 'Promise', 'fetch',
  'console', 'crypto', 'require', 'structuredClone', 'Buffer', 'globalThis',
].map((name) => ({ name, message: 'The core is pure: events in, effects out.' }));

export default tseslint.config(
  { ignores: ['dist/', 'docs/reference/', 'coverage/', 'node_modules/'] },
  eslint.configs.recommended,
  {
    // Much text comes from outside. No expression may take longer than in proportion to its length.
    files: ['src/**/*.ts'],
    plugins: { regexp },
    rules: {
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential' }],
    },
  },
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/resolver': { node: { extensions: ['.ts', '.js', '.json'] } },
      'import-x/extensions': ['.ts'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      'no-restricted-imports': ['error', { patterns: ['*/dist/*'] }],
      'import-x/no-restricted-paths': ['error', { zones }],
      'import-x/no-cycle': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'separate-type-imports' }],
      '@typescript-eslint/no-non-null-assertion': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // The release of a lock never rejects, and need not be awaited.
      '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [{ from: 'file', name: 'release' }] }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    // What does not fit is two things.
    files: ['sim/**/*.ts'],
    ignores: ['sim/mutants/requesters.ts'],
    rules: { 'max-lines': ['error', { max: 400 }] },
  },
  {
    files: ['src/core/**/*.ts', 'src/quorum/**/*.ts'],
    rules: {
      'no-restricted-globals': ['error', ...impure],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'The core is pure: no randomness.' },
        { object: 'Date', property: 'now', message: 'The core is pure: time comes with the event.' },
      ],
      'no-restricted-syntax': [
        'error',
        { selector: 'NewExpression[callee.name="Date"]', message: 'The core is pure: time comes with the event.' },
        { selector: ':function[async=true]', message: 'The core is pure: no promises.' },
        { selector: 'AwaitExpression', message: 'The core is pure: no promises.' },
        {
          selector: 'ImportDeclaration[source.value!=/^\\.\\.?\\u002F/]',
          message: 'The core imports nothing from outside src/core and src/quorum.',
        },
      ],
    },
  },
  {
    // They show what a user writes.
    files: ['examples/**/*.ts'],
    rules: { 'no-restricted-imports': ['error', { patterns: [{ group: ['**/src/**'], message: "Import from 'maekawa'." }] }] },
  },
  {
    // A tag on the wire is any number; the switch's default refuses those that no field has.
    files: ['src/transport/codec.ts'],
    rules: { '@typescript-eslint/no-unsafe-enum-comparison': 'off' },
  },
  {
    // Programs talk to a terminal.
    files: ['src/cli/**/*.ts', 'sim/**/*.ts', 'bench/**/*.ts'],
    rules: { 'no-console': 'off' },
  },
  {
    // A page's script passes what no type allows, and locks to whoever asks.
    files: ['test/locks/page/script.ts'],
    rules: {
      '@typescript-eslint/explicit-module-boundary-types': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  { files: ['**/*.mjs', '**/*.js'], languageOptions: { globals: { process: 'readonly', console: 'readonly', performance: 'readonly', Buffer: 'readonly' } } },
  {
    files: ['test/support/*.js'],
    languageOptions: { sourceType: 'commonjs', globals: { AbortController: 'readonly' } },
  },
);
