/** A node whose own name is not known yet. */
import { untilNameKnown } from '../../src/cli/own-name';

const lines: string[] = [];
const log = {
  warn: (_fields: string | object, message = '') => void lines.push(message),
  info: (first: string | object) => void lines.push(first as string),
};
beforeEach(() => void lines.splice(0));

test('waits until it is, and says so once', async () => {
  const asked: string[] = [];
  let unknown = 3;
  await untilNameKnown('kawa-1:7001', log, () => false, (host) => {
    asked.push(host);
    return unknown-- > 0 ? Promise.reject(new Error('EAI_AGAIN')) : Promise.resolve();
  }, 1);
  expect(asked).toEqual(['kawa-1', 'kawa-1', 'kawa-1', 'kawa-1']);
  expect(lines).toEqual([expect.stringMatching(/^cannot listen on kawa-1:7001 yet: this machine does not know the name kawa-1\. The node starts when it does/), 'this machine knows the name kawa-1 now']);
});

test('gives up when the node is to stop', async () => {
  let looks = 0;
  await untilNameKnown('kawa-1:7001', log, () => looks === 2, () => {
    looks++;
    return Promise.reject(new Error('ENOTFOUND'));
  }, 1);
  expect(looks).toBe(2);
});

test.each(['127.0.0.1:1', '[::1]:1'])('an IP address needs nobody to know it: %s', async (address) => {
  await untilNameKnown(address, log, () => false, () => Promise.reject(new Error('asked')));
  expect(lines).toEqual([]);
});
