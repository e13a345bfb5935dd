/** Where a text stops being JSON. */
import fc from 'fast-check';
import { describeJsonFault } from '../../src/config/json';
import { holds } from '../support/holds';

describe('describeJsonFault', () => {
  const cases: [name: string, text: string, fault: string][] = [
    ['a trailing comma in a list', '{\n  "a": [\n    1,\n  ]\n}', 'line 4, column 3: unexpected "]"'],
    ['a trailing comma in an object', '{ "a": 1, }', 'line 1, column 11: unexpected "}"'],
    ['a missing comma', '{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: unexpected "\\""'],
    ['a missing colon', '{ "a" 1 }', 'line 1, column 7: unexpected "1"'],
    ['a comment', '{ // the nodes\n}', 'line 1, column 3: unexpected "/"'],
    ['single quotes', "{ 'a': 1 }", 'line 1, column 3: unexpected "\'"'],
    ['a bare word', '{ a: 1 }', 'line 1, column 3: unexpected "a"'],
    ['a text that does not end on its line', '["a\n"]', 'line 1, column 2: unexpected "\\""'],
    ['a number with a leading zero', '[01]', 'line 1, column 3: unexpected "1"'],
    ['text after the end', '{}\n{}', 'line 2, column 1: unexpected "{"'],
    ['an empty text', '', 'line 1, column 1: the text ends too early'],
    ['a text cut short', '{ "a": [', 'line 1, column 9: the text ends too early'],
  ];

  test.each(cases)('%s', (_name, text, fault) => {
    expect(describeJsonFault(text)).toBe(fault);
  });

  test('finds a fault exactly where JSON.parse does', () => {
    const cutOrBent = fc.tuple(fc.json(), fc.nat(), fc.nat(), fc.constantFrom('', ',', ']', '}', '"', '\\', ' ', '0', 'x', '\u0001'))
      .map(([json, from, length, put]) => {
        const at = from % (json.length + 1);
        return json.slice(0, at) + put + json.slice(at + (length % 3));
      });
    holds(fc.property(fc.oneof(fc.json(), cutOrBent), (text) => {
      expect({ text, isJson: describeJsonFault(text) === null }).toEqual({ text, isJson: isJson(text) });
    }), 3_000);
  });

  test('a text that is nested without end is explained too', () => {
    expect(describeJsonFault('['.repeat(200_000))).toMatch(/^line 1, column \d+: unexpected "\["$/);
    expect(describeJsonFault('{"a":'.repeat(200_000))).toMatch(/^line 1, column \d+: unexpected "\{"$/);
    expect(describeJsonFault(`${'['.repeat(900)}${']'.repeat(900)}`)).toBeNull();
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
