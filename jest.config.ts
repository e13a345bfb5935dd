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
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }] },
};

export default config;
