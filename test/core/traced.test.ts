/** Traces keep their form: an old one replays with a new core. */
import fc from 'fast-check';
import { effectOf, eventOf, tracedEffect, tracedEvent } from '../../src/core';
import type { Effect, Event } from '../../src/core';
import { holds } from '../support/holds';
import { message } from '../transport/messages';
import { inquire, request } from './harness';

describe('traces', () => {
  test('trace: a claim is two flags, behind all else that a Request says', () => {
    const received = (claim: 'waits' | 'stole'): string =>
      JSON.stringify(tracedEvent({ kind: 'message', nowMs: 3, from: 'n2', message: request(200, { claim }) }));
    const waits = '{"kind":"message","nowMs":3,"from":"n2","message":'
      + '{"kind":"request","lock":"a","clock":200,"timestamp":200,"mode":"exclusive","keep":false,"sentAtMs":0,"heldGrant":null';
    expect(received('waits')).toBe(`${waits}}}`);
    expect(received('stole')).toBe(`${waits},"steals":true,"holds":true}}`);
  });

  test('trace: the claim of a contender is two flags beside its name', () => {
    const sent = (claim: 'waits' | 'holds'): string =>
      JSON.stringify(tracedEffect({ kind: 'send', to: 'n2', message: inquire(200, 210, { timestamp: 190, node: 'n3', claim }) }));
    const inquires = '{"kind":"send","to":"n2","message":'
      + '{"kind":"inquire","lock":"a","clock":210,"timestamp":200,"grant":210,"sentAtMs":0,"contender":{"timestamp":190,"node":"n3"';
    expect(sent('waits')).toBe(`${inquires}}}}`);
    expect(sent('holds')).toBe(`${inquires},"holds":true}}}`);
  });

  test('trace: what is read back is what was written', () => {
    holds(fc.property(message, (each) => {
      const event: Event = { kind: 'message', nowMs: 1, from: 'n2', message: each };
      const effects: readonly Effect[] = [{ kind: 'send', to: 'n2', message: each }, { kind: 'ignored', from: 'n2', message: each, reason: 'old' }];
      expect(eventOf(throughFile(tracedEvent(event)))).toEqual(event);
      expect(effects.map((effect) => effectOf(throughFile(tracedEffect(effect))))).toEqual(effects);
    }));
  });
});

function throughFile<Item>(item: Item): Item {
  return JSON.parse(JSON.stringify(item)) as Item;
}
