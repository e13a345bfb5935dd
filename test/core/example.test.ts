/** The example in the comment of src/core/index.ts, run as it stands there. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { createNode, step } from '../../src/core';
import type { Effect, Event, LockNode } from '../../src/core';
import { buildCoterie } from '../../src/quorum';

interface Shown {
  readonly event: Event;
  readonly effects: readonly Effect[];
}

/** The code of the example, without the stars of its comment. */
function example(): string {
  const source = readFileSync(join(__dirname, '../../src/core/index.ts'), 'utf8');
  const [, block] = /```ts\n([^]*?) \* ```/.exec(source) ?? [];
  if (block === undefined) throw new Error('src/core/index.ts shows no example');
  return block.replace(/^ \* ?/gm, '');
}

/** What the comments promise: each effect begins with an arrow and may go on in the next comment. */
function promised(code: string): Effect[][] {
  const events = code.split(/^step\(/m).slice(1);
  return events.map((text) => {
    const comments = text.split('\n').filter((line) => /^\/\/ (→| {4})/.test(line)).map((line) => line.slice(2)).join('');
    return comments.split('→').slice(1).map((effect) => plain(runInNewContext(`(${effect})`)) as Effect);
  });
}

function run(code: string): Shown[] {
  const shown: Shown[] = [];
  const stepAndShow = (node: LockNode, event: Event): void => void shown.push({ event, effects: step(node, plain(event)) });
  runInNewContext(code, { buildCoterie, createNode, step: stepAndShow });
  return shown;
}

/** Made of this realm's own objects and arrays. */
function plain<Value>(value: Value): Value {
  return JSON.parse(JSON.stringify(value)) as Value;
}

test('core: the example in its comment runs, and has the effects that it shows', () => {
  const code = example();
  const shown = run(code);
  expect(shown.map(({ effects }) => effects)).toEqual(promised(code));
  expect(shown.flatMap(({ effects }) => effects.map(({ kind }) => kind))).toEqual(
    ['reserveCeiling', 'send', 'wake', 'entered', 'send', 'wake', 'renewed', 'send'],
  );
});
