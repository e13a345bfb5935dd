import { Connections } from '../../src/service/connections';
import { connectionIdleMs } from '../../src/transport/server';

let nowMs = 0;
let connections: Connections;
beforeEach(() => {
  nowMs = 0;
  connections = new Connections(() => nowMs);
});

const number = (peer: string): number => connections.of(peer).number;

test('each connection has a number of its own', () => {
  expect(['a', 'b', 'a', 'c'].map(number)).toEqual([1, 2, 1, 3]);
});

test('it keeps its number for as long as gRPC keeps a connection that is not used', () => {
  const connection = connections.of('a');
  connection.begin();
  nowMs += 100 * connectionIdleMs;
  expect(number('a')).toBe(1); // it is in use
  connection.end();
  nowMs += connectionIdleMs;
  expect(number('a')).toBe(1);
  nowMs += 1;
  expect(number('a')).toBe(2);
});

test('a number is not given twice', () => {
  number('a');
  nowMs += connectionIdleMs + 1;
  expect(['b', 'a'].map(number)).toEqual([2, 3]);
});
