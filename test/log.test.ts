import pino from 'pino';
import { terminalLine } from '../src/cli/node-log';
import { createLog, jsonLine, silentLog } from '../src/log';
import type { LogEntry, LogThreshold, Logger } from '../src/log';

function logged(threshold: LogThreshold, use: (log: Logger) => void): LogEntry[] {
  const entries: LogEntry[] = [];
  use(createLog(threshold, (entry) => entries.push(entry), { node: 'n1' }));
  return entries;
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'fatal'] as const;

test.each([...LEVELS, 'silent'] as const)('at threshold %s nothing below is written', (threshold) => {
  const entries = logged(threshold, (log) => {
    for (const level of LEVELS) {
      log[level]('text');
      expect(log.isLevelEnabled(level)).toBe(threshold !== 'silent' && LEVELS.indexOf(level) >= LEVELS.indexOf(threshold));
    }
  });
  expect(entries.map((entry) => entry.level)).toEqual(threshold === 'silent' ? [] : LEVELS.slice(LEVELS.indexOf(threshold)));
});

test('an entry has the fields of its logger, of that one\'s parents and its own', () => {
  const entries = logged('info', (log) => log.child({ peer: 'n2' }).warn({ messages: 3 }, 'dropped'));
  expect(entries).toEqual([{ level: 'warn', message: 'dropped', fields: { node: 'n1', peer: 'n2', messages: 3 } }]);
});

test("a line of JSON is as pino writes it", () => {
  const lines: string[] = [];
  const theirs = pino({ base: { node: 'n1' }, timestamp: () => ',"time":5' }, { write: (line: string) => lines.push(line) });
  const use = (log: Logger): void => {
    log.info('a "text"\n\x1b[31m');
    log.child({ peer: 'n2' }).error({ messages: 3 }, 'dropped');
  };
  use(theirs); // it fits the type as it is
  expect(logged('info', use).map((entry) => jsonLine(entry, 5))).toEqual(lines);
});

test('an error among the fields is shown with its stack', () => {
  const [entry] = logged('info', (log) => log.fatal({ err: new RangeError('too far'), lock: 'a' }, 'it stops'));
  if (entry === undefined) throw new Error('nothing was logged');
  expect(JSON.parse(jsonLine(entry, 5))).toMatchObject({ level: 60, err: { type: 'RangeError', message: 'too far', stack: expect.stringContaining('log.test') as unknown } });
  const [head, ...rest] = terminalLine(entry, new Date(2026, 0, 1, 9, 8, 7, 6)).split('\n');
  expect(head?.replace(/\x1b\[\d+m/g, '')).toBe('[09:08:07.006] FATAL: it stops {"node":"n1","lock":"a"}'); // eslint-disable-line no-control-regex
  expect(rest.join('\n')).toMatch(/^ {4}RangeError: too far\n {4,}at .*log\.test/);
});

test('the silent log is silent', () => {
  expect(LEVELS.filter((level) => silentLog.isLevelEnabled(level))).toEqual([]);
});
