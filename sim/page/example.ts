/** The planted bug that sim/README.md follows from a failing seed to a picture. Paths are from the project's folder. */
export const EXAMPLE = {
  mutant: 'holder-yields',
  seed: 7,
  check: 'lease-inside',
  /** The minimised plan, and the same as a scenario. */
  plan: 'sim/page/example.json',
  scenario: 'sim/page/example.txt',
  picture: 'sim/page/example.png',
  command: 'npm run sim -- --seed 7 --mutant holder-yields --minimise sim/page/example.json',
} as const;
