/** Which programs there are on this machine. */
import { spawnSync } from 'node:child_process';

/** What a program prints, or null when there is none of this name. */
export function outputOf(program: string, argv: readonly string[]): string | null {
  const { error, stdout, stderr } = spawnSync(program, argv, { encoding: 'utf8', timeout: 20_000, env: process.env });
  return error === undefined ? stdout + stderr : null;
}
