import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cpuMsOf, familyOf, machineBusyMsIn, memoryOf, shareOfMemoryIn, timesIn } from '../../bench/peers/proc';

test('a line of /proc/PID/stat is read past a name with spaces and parentheses', () => {
  const stat = '4711 (a (b) c) S 42 4711 4711 0 -1 4194560 1000 0 0 0 300 50 20 5 20 0 11 0 123456 1000000 2000 18446744073709551615';
  expect(timesIn(stat)).toEqual({ parent: 42, cpuMs: (300 + 50 + 20 + 5) * 10 });
});

test('memory is the proportional share, and nothing where there is none', () => {
  expect(shareOfMemoryIn('00400000-7ffe rollup\nRss:      90000 kB\nPss:      12345 kB\nPss_Anon:  5 kB\n')).toBe(12_345 * 1024);
  expect(shareOfMemoryIn('')).toBe(0);
});

test('a machine is busy for what it did not idle or wait, and the host may have taken some', () => {
  expect(machineBusyMsIn('cpu  100 20 30 5000 600 7 8 9 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n')).toEqual({ busyMs: (100 + 20 + 30 + 7 + 8) * 10, stolenMs: 90 });
});

const onLinux = existsSync('/proc/self/stat') ? test : test.skip;

onLinux('a process counts with those that descend from it, and one that is gone as nothing', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000); process.stdout.write("up")'], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  expect(familyOf([process.pid])).toContain(pid);
  expect(familyOf([pid])).toEqual([pid]);
  expect(memoryOf([process.pid])).toBeGreaterThan(memoryOf([pid]));
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(cpuMsOf([pid])).toBe(0);
  expect(memoryOf([pid])).toBe(0);
});
