import type { Config } from 'jest';

// Types are checked by `npm run typecheck`; the tests only strip them (tsconfig sets isolatedModules).
const config: Config = {
  testEnvironment: 'node',
  roots: ['<rootDir>/test'],
  testMatch: ['**/*.test.ts'],
  transform: { '^.+\\.ts$': ['ts-jest', { tsconfig: 'tsconfig.json' }] },
};

export default config;
