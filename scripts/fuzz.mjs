// `npm run fuzz -- --seconds 300 --seed 7`: each fuzzer of test/fuzz for so long, from that seed. Without options: as in CI.
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { seconds: { type: 'string' }, seed: { type: 'string' } } });
for (const [name, value] of Object.entries(values)) {
  if (!/^\d+$/.test(value)) {
    console.error(`--${name} is a whole number, not ${JSON.stringify(value)}`);
    process.exit(64);
  }
}
const env = { ...process.env, ...(values.seconds && { FUZZ_SECONDS: values.seconds }), ...(values.seed && { FUZZ_SEED: values.seed }) };
const { status } = spawnSync(process.execPath, ['node_modules/jest/bin/jest.js', 'test/fuzz'], { stdio: 'inherit', env });
process.exit(status ?? 1);
