import type { Config } from 'jest';

// Types are checked by `npm run typecheck`; the tests only strip them (tsconfig sets isolatedModules).
const config: Config = {
  testEnvironment: 'node',
  // Tests of real processes mostly wait.
  maxWorkers: '100%',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  // The examples import the package by its name, as users do.
  moduleNameMapper: { '^maekawa$': '<rootDir>/src', '^maekawa/testing$': '<rootDir>/src/testing' },
  // For hangs alone: a machine may stand still for long. What tests wait for has a shorter deadline, and says what it was.
  testTimeout: 120_000,
  // To look one of these up in the sandbox of a test takes long, and the simulator does so all the time: it runs a quarter faster.
  sandboxInjectedGlobals: ['Array', 'Infinity', 'Int32Array', 'Map', 'Math', 'Number', 'Object', 'Set', 'Uint8Array'],
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }] },
};

export default config;
