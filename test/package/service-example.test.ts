/** The example service: its own tests pass, as whoever copies it runs them. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ROOT } from './packed';

test('examples/service', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--test', join(ROOT, 'dist/examples/service/service.test.js')], { cwd: ROOT, encoding: 'utf8', timeout: 110_000 });
  if (status !== 0) throw new Error(stdout + stderr);
  expect(stdout).toMatch(/pass 4$/m);
});
