import { execFileSync } from 'node:child_process';
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { parseConfiguration } from '../../src/config';
import { createNode, step } from '../../src/core';
import type { Event } from '../../src/core';
import { TraceWriter } from '../../src/runtime/trace-writer';
import { readTrace, replay } from '../../sim/replay';

const configuration = parseConfiguration({
  nodes: ['n1', 'n2', 'n3'].map((id, index) => ({ id, address: `127.0.0.1:${7001 + index}` })),
  quorums: { family: 'grid', columns: [['n1', 'n2'], ['n3']] },
}, 'the test');

describe('the trace of a node', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maekawa-writer-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const silent = pino({ level: 'silent' });

  /** One short life, recorded to this file. */
  function live(path: string, log = silent): void {
    const settings = {
      self: 'n1', coterie: configuration.coterie, leaseMs: 3_000, retryMs: 1_000, driftMax: 0.01, slack: 100, ceilingBlock: 100, retain: true, locksMax: 1,
    };
    const birth = { ceilingOnDisk: 0, wallClockUs: 5_000, firstStart: true };
    const node = createNode(settings, birth);
    const writer = TraceWriter.open(path, log);
    writer.begin({ id: 'n1', configuration, settings, birth, nowMs: 10 });
    const events: readonly Event[] = [
      { kind: 'start', nowMs: 10 },
      { kind: 'ceilingReserved', nowMs: 11, ceiling: 10_000 },
      { kind: 'acquire', nowMs: 12, lock: 'a', mode: 'exclusive', caller: 1 },
      // One more than it may know of: the Request is left unanswered.
      { kind: 'message', nowMs: 12, from: 'n2', message: { kind: 'request', lock: 'b', clock: 5_200, timestamp: 5_200, mode: 'exclusive', claim: 'waits', keep: false, sentAtMs: 1, heldGrant: null } },
      { kind: 'stop', nowMs: 13, inUse: ['b'] },
    ];
    for (const event of events) writer.record(event, step(node, event));
    writer.close();
  }

  test('trace: holds all that it takes to answer the same again', () => {
    const path = join(folder, 'one');
    live(path);
    const lives = readTrace(readFileSync(path, 'utf8'), path);
    expect(lives).toHaveLength(1);
    expect(lives[0]).toMatchObject({ node: 'n1', nodes: ['n1', 'n2', 'n3'], quorums: { family: 'grid' }, nowMs: 10 });
    expect(lives[0]?.steps.map(({ event }) => event.kind)).toEqual(['start', 'ceilingReserved', 'acquire', 'message', 'stop']);
    expect(lives[0]?.settings.locksMax).toBe(1);
    expect(lives[0]?.steps[2]?.effects?.some((effect) => effect.kind === 'send')).toBe(true);
    expect(replay(lives)).toEqual([]);
  });

  test('trace: the next life is appended, also behind half a line', () => {
    const path = join(folder, 'two');
    live(path);
    appendFileSync(path, '{"event":{"kind":"wa');
    live(path);
    const lives = readTrace(readFileSync(path, 'utf8'), path);
    expect(lives.map((each) => each.steps.length)).toEqual([5, 5]);
    expect(replay(lives)).toEqual([]);
  });

  test('trace: a file that cannot be opened is a LockError', () => {
    expect(() => TraceWriter.open(join(folder, 'no such folder', 'x'), silent)).toThrow(
      expect.objectContaining({ name: 'LockError', code: 'storage', message: expect.stringContaining('cannot write the trace') as string }) as Error,
    );
  });

  test.each([
    ['a file of something else', (path: string) => writeFileSync(path, 'keep me\n'), /is there already and is no trace, so nothing is written to it\. Name another file/],
    ['a link', (path: string) => symlinkSync('somewhere', path), /is a symbolic link/],
    ['a pipe that nobody reads', (path: string) => void execFileSync('mkfifo', [path]), /is no regular file/],
    ['a folder', (path: string) => mkdirSync(path), /EISDIR/],
  ])('trace: %s is left alone', (_what, prepare, expected) => {
    const path = join(folder, `odd-${_what.replace(/ /g, '-')}`);
    prepare(path);
    expect(() => TraceWriter.open(path, silent)).toThrow(expected);
    expect(existsSync(join(folder, 'somewhere'))).toBe(false);
    if (_what.startsWith('a file')) expect(readFileSync(path, 'utf8')).toBe('keep me\n');
  });

  const onFullDisk = existsSync('/dev/full') ? test : test.skip;
  onFullDisk('trace: a disk that is full ends the trace, not the node', () => {
    const errors: string[] = [];
    const log = pino({ level: 'error' }, { write: (line: string) => void errors.push(line) });
    live('/dev/full', log);
    expect(errors.join('')).toContain('the trace ends here');
  });
});
