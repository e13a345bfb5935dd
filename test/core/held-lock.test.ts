/** What a holder may believe of its lock (protocol.md sections 6 and 15). */
import { HeldLock, believedUntilMs } from '../../src/core';

test('a client counts from when it sent what the node echoes, not from when the answer came', () => {
  expect(believedUntilMs({ sentAtMs: 1_000, validForMs: 400 })).toBe(1_400);
});

test('it is held until its time, and not at that very moment', () => {
  const lock = new HeldLock(100);
  expect(lock.validForMs(99)).toBe(1);
  expect(lock.runsOut(99)).toBe(false);
  expect(lock.validForMs(100)).toBe(0);
  expect(lock.runsOut(100)).toBe(true);
  expect(lock.isHeld).toBe(false);
});

test('that it ran out is news once', () => {
  const lock = new HeldLock(100);
  expect([lock.runsOut(100), lock.runsOut(101), lock.lose()]).toEqual([true, false, false]);
});

test('the node shortens it after sleep; a late word to a client never does', () => {
  const lock = new HeldLock(100);
  lock.renewed(80);
  expect(lock.validForMs(0)).toBe(80);
  expect(lock.told({ sentAtMs: 0, validForMs: 60 })).toBe(false);
  expect(lock.validForMs(0)).toBe(80);
  expect(lock.told({ sentAtMs: 50, validForMs: 60 })).toBe(true);
  expect(lock.validForMs(0)).toBe(110);
});

test('what was lost never comes back, whoever says so', () => {
  const lock = new HeldLock(100);
  lock.lose();
  lock.renewed(500);
  expect(lock.told({ sentAtMs: 400, validForMs: 100 })).toBe(false);
  expect(lock.isHeld).toBe(false);
  expect(lock.validForMs(0)).toBe(0);
});

test('given back it is over, and nothing prolongs it', () => {
  const lock = new HeldLock(100);
  lock.end();
  lock.renewed(500);
  expect([lock.isOver, lock.isHeld, lock.validForMs(0)]).toEqual([true, false, 0]);
});

test('neither its grant nor any word makes it valid beyond the end that its holder asked for', () => {
  expect(new HeldLock(900, 500).validForMs(0)).toBe(500);
  const lock = new HeldLock(400, 500);
  lock.renewed(900);
  expect(lock.validForMs(0)).toBe(500);
  expect(lock.told({ sentAtMs: 400, validForMs: 900 })).toBe(false);
  expect([lock.validForMs(499), lock.runsOut(499), lock.runsOut(500)]).toEqual([1, false, true]);
});
