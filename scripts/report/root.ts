/** Where this package lies, whether this file runs as TypeScript or from `dist`. */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

function above(directory: string): string {
  return existsSync(join(directory, 'package.json')) ? directory : above(dirname(directory));
}

export const ROOT = above(__dirname);
