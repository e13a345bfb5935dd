import { hostname, userInfo } from 'node:os';
import { boundLabel, processLabel } from '../../src/locks/holder-title';

test('who gives no label is known by user, host and process; a long label is cut off', () => {
  expect(processLabel()).toBe(`${userInfo().username}@${hostname()} pid ${process.pid}`);
  expect(boundLabel('x'.repeat(500))).toBe('x'.repeat(200));
});
