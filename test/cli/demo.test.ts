import { join } from 'node:path';
import { judge } from '../../src/cli/demo/judge';
import type { WorkloadLine } from '../../src/cli/workload';
import { Program } from '../support/processes';

const line = (event: WorkloadLine['event'], node: string, token: number): WorkloadLine =>
  ({ event, node, token, lock: 'demo', mode: 'exclusive', atMs: 0 });

describe('the judge of the demo', () => {
  test('is content with entries one after the other and rising tokens', () => {
    const { entries, overlaps, tokenFaults } = judge(
      [line('enter', 'n1', 1), line('leave', 'n1', 1), line('enter', 'n2', 2), line('leave', 'n2', 2), line('enter', 'n1', 5)],
      new Set(),
    );
    expect([overlaps, tokenFaults]).toEqual([[], []]);
    expect([...entries]).toEqual([['n1', 2], ['n2', 1]]);
  });

  test('sees an entry while another is inside, but not after that one was killed', () => {
    const lines = [line('enter', 'n1', 1), line('enter', 'n2', 2)];
    expect(judge(lines, new Set()).overlaps).toEqual(['n2 entered with token 2 while n1 was inside with 1']);
    expect(judge(lines, new Set([1])).overlaps).toEqual([]);
  });

  test('sees a token that does not rise', () => {
    const lines = [line('enter', 'n1', 5), line('leave', 'n1', 5), line('enter', 'n2', 5)];
    expect(judge(lines, new Set()).tokenFaults).toEqual(['n2 entered with token 5 after n1 had 5']);
  });
});

test('maekawa demo shows a crash and a restart, and passes its own checks', async () => {
  const program = new Program(['demo', '--config', join(__dirname, '../../quorums.json'), '--compete', '1s']);
  expect(await program.ended).toBe(0);
  expect(program.output).toMatch(/killed n\d \(kill -9\) while it held the lock/);
  expect(program.output).toMatch(/n\d is back/);
  expect(program.output).toMatch(/overlaps +0/);
  expect(program.output).toMatch(/All checks passed/);
});
