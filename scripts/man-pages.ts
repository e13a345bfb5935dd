/** Part of the build: writes a man page for each command into `dist/man`. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { formatManPage } from '../src/cli/man-page';
import { pageName, subcommandsOf } from '../src/cli/manual';
import { createProgram } from '../src/cli/program';
import { VERSION } from '../src/version';

const directory = join(__dirname, '../man');

function write(command: Command): void {
  writeFileSync(join(directory, `${pageName(command)}.1`), formatManPage(command, VERSION));
  for (const each of subcommandsOf(command)) write(each);
}

rmSync(directory, { recursive: true, force: true });
mkdirSync(directory, { recursive: true });
write(createProgram());
