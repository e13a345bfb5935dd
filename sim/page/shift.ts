/** Lamport times and node times as short numbers: counted from an origin. */

const CLOCKS = new Set(['clock', 'timestamp', 'grant', 'heldGrant', 'token', 'ceiling']);
const TIMES = new Set(['nowMs', 'sentAtMs', 'expiresAtMs', 'heardAtMs', 'validUntilMs', 'atMs']);

/** 0 stands for a clock that may not be told yet, and stays 0. */
export function shiftClocks<Value>(value: Value, origin: number): Value {
  return shift(value, CLOCKS, (clock) => (clock === 0 ? 0 : clock - origin)) as Value;
}

export function shiftTimes<Value>(value: Value, originMs: number): Value {
  return shift(value, TIMES, (ms) => ms - originMs) as Value;
}

/** The smallest Lamport time in it but 0; 1 when there is none. */
export function smallestClock(value: unknown): number {
  let smallest = Infinity;
  shift(value, CLOCKS, (clock) => {
    if (clock !== 0 && clock < smallest) smallest = clock;
    return clock;
  });
  return smallest === Infinity ? 1 : smallest;
}

function shift(value: unknown, names: ReadonlySet<string>, change: (n: number) => number): unknown {
  if (Array.isArray(value)) return value.map((each) => shift(each, names, change));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]: [string, unknown]) => [
    name,
    typeof each === 'number' && names.has(name) ? change(each) : shift(each, names, change),
  ]));
}
