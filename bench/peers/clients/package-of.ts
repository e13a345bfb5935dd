/** The client libraries of the peers, found in `bench/peers/node_modules`: no part of what the project installs. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../../../scripts/report/root';

export const PACKAGES_AT = join(ROOT, 'bench/peers');

/** Their types stand beside their use: the project compiles without them. */
export function packageOf(name: string): unknown {
  return createRequire(join(PACKAGES_AT, 'package.json'))(name);
}

/** Its version, or null when it is not installed. `pg` is one of those that the project's tests use. */
export function versionOfPackage(name: string): string | null {
  for (const folder of [PACKAGES_AT, ROOT]) {
    try {
      const { version } = JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')) as { readonly version: string };
      return version.replace(/^v/, '');
    } catch {
      // Perhaps in the other one.
    }
  }
  return null;
}
