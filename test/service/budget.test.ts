/** What clients may use, counted: who has his part is told so, and who finds no room because of others may ask elsewhere. */
import { status } from '@grpc/grpc-js';
import { Budget, HALF } from '../../src/service/budget';
import { Connection } from '../../src/service/connections';

const from = (peer: string): Connection => new Connection(peer, () => 0, () => 1);

test('a client that has its part is exhausted; one that finds the node full of others may ask another node', () => {
  const budget = new Budget({ addressShare: HALF, what: 'locks', perConnection: 2, perNode: 4, advice: 'release some' });
  const [one, neighbour, other, late] = [from('10.0.0.1:1'), from('10.0.0.1:2'), from('10.0.0.2:1'), from('10.0.0.3:1')];
  const giveBack = budget.take(one);
  budget.take(one);
  expect(budget.fault(one)).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: expect.stringMatching(/^this connection has 2 locks/) as string });
  expect(budget.fault(neighbour)).toMatchObject({ code: status.RESOURCE_EXHAUSTED, details: expect.stringMatching(/^the clients at 10.0.0.1 have 2 locks/) as string });
  expect(budget.fault(other)).toBeNull();
  budget.take(other, 2);
  expect(budget.fault(late)).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringMatching(/ask another node, or later$/) as string });
  giveBack();
  giveBack();
  expect([budget.fault(one), budget.fault(late)]).toEqual([null, null]);
});
