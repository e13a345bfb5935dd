/** The planted bug that sim/README.md follows from a failing seed to a picture. Paths are from the project's folder. */
export const EXAMPLE = {
  mutant: 'holder-yields',
  check: 'lease-inside',
  /** The minimised plan, and the same as a scenario. */
  plan: 'sim/page/example.json',
  scenario: 'sim/page/example.txt',
  picture: 'sim/page/example.png',
  command: 'npm run sim -- --replay sim/page/example.json --mutant holder-yields',
} as const;
