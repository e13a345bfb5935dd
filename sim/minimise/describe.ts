/** What makes a plan more than nodes at rest, one line for each part: what a minimised plan is read by. */
import { assertNever } from '../../src/core';
import type { MessageKind } from '../../src/core';
import type { Fate } from '../fates';
import { lockNamesOf, nodeIdsOf } from '../layout';
import type { Death, Fault, Plan } from '../plan';

/** How many parts a plan has: what the minimiser makes fewer. */
export interface Parts {
  readonly wishes: number;
  readonly faults: number;
  readonly fates: number;
  readonly looks: number;
}

export function partsOf(plan: Plan): Parts {
  return {
    wishes: plan.callers.reduce((sum, { wishes }) => sum + wishes.length, 0),
    faults: plan.faults.length,
    fates: plan.fates?.length ?? 0,
    looks: plan.looks?.length ?? 0,
  };
}

/** Wishes and faults in order of time, then clocks that are off and messages that do not simply arrive. */
export function describeParts(plan: Plan): string[] {
  const nodes = nodeIdsOf(plan.machines.length);
  const name = (machine: number): string => nodes[machine] ?? `machine ${machine}`;
  const timed = [
    ...describeWishes(plan, name),
    ...plan.faults.map((fault) => ({ atUs: fault.atUs, text: describeFault(fault, name) })),
    ...(plan.looks ?? []).map(({ atUs, machine, peer }) => ({ atUs, text: `${name(machine)} looks whether ${name(peer)} is up` })),
  ];
  timed.sort((a, b) => a.atUs - b.atUs);
  return [
    ...timed.map(({ atUs, text }) => `${time(atUs).padStart(12)}  ${text}`),
    ...describeMachines(plan, name).map((text) => `${' '.repeat(12)}  ${text}`),
    ...(plan.fates ?? []).map((fate) => `${' '.repeat(12)}  ${describeFate(fate, name)}`),
  ];
}

type NameOf = (machine: number) => string;

function describeWishes(plan: Plan, name: NameOf): { atUs: number; text: string }[] {
  const locks = lockNamesOf(plan.locks);
  return plan.callers.flatMap(({ machine, wishes }) => wishes.map((wish) => {
    const does = `${name(machine)} ${wish.steals ? 'steals' : 'wants'} ${locks[wish.lock]}${wish.mode === 'shared' ? ' shared' : ''}`;
    const thinks = wish.atUs === undefined ? `, ${time(wish.thinkUs)} after the wish before` : '';
    const patience = wish.patienceUs === null ? '' : `, gives up after ${time(wish.patienceUs)}`;
    return { atUs: wish.atUs ?? 0, text: `${does}${thinks}, to hold it for ${time(wish.holdUs)}${patience}` };
  }));
}

/** What the node does. */
export const DEATHS: Readonly<Record<Death, string>> = {
  crash: 'crashes',
  stop: 'stops in good order',
  wipe: 'crashes, its disk is wiped',
  stale: 'crashes, an older ceiling file is put back',
  corrupt: 'crashes, its ceiling file is corrupt until somebody deletes it',
};

export function describeFault(fault: Fault, name: NameOf): string {
  switch (fault.kind) {
    case 'cut':
      return `no message goes from ${list(fault.from.map(name))} to ${list(fault.to.map(name))} for ${time(fault.forUs)}`;
    case 'clog':
      return `the link from ${name(fault.from)} to ${name(fault.to)} holds its messages back for ${time(fault.forUs)}`
        + (fault.room === undefined ? '' : `, and has room for ${fault.room}`);
    case 'suspect':
      return `${name(fault.machine)} takes ${name(fault.peer)} for down for ${time(fault.forUs)}`;
    case 'crash': {
      const does = DEATHS[fault.how];
      const back = fault.wallBackUs > 0 ? `, its wall clock set back by ${time(fault.wallBackUs)}` : '';
      return `${name(fault.machine)} ${does}, and starts again after ${time(fault.forUs)}${back}`;
    }
    case 'pause':
      return `${name(fault.machine)} is paused for ${time(fault.forUs)}`;
    case 'sleep':
      return `${name(fault.machine)} sleeps for ${time(fault.forUs)}, its monotonic clock too`;
    case 'full':
      return `the disk of ${name(fault.machine)} is full for ${time(fault.forUs)}`;
    case 'slow':
      return `${name(fault.machine)} takes ${time(fault.perEventUs)} over each event for ${time(fault.forUs)}`;
    case 'rate':
      return `the clock of ${name(fault.machine)} goes ${rate(fault.ratePpm)}`;
    case 'jump':
      return `the wall clock of ${name(fault.machine)} is set forward by ${time(fault.byUs)}`;
    case 'wake':
      return `${name(fault.machine)} is woken for nothing`;
    case 'echo': {
      const which = fault.back === 0 ? 'the last' : `before the last ${fault.back}`;
      const what = fault.message === 'any' ? `${fault.count} messages` : nameOf(fault.message);
      return `${which} ${what} from ${name(fault.from)} to ${name(fault.to)} once more`;
    }
    default:
      return assertNever(fault);
  }
}

function describeMachines(plan: Plan, name: NameOf): string[] {
  return plan.machines.flatMap(({ startUs, ratePpm }, machine) => [
    ...(startUs >= plan.durationUs ? [`${name(machine)} never starts`] : startUs > 0 ? [`${name(machine)} starts at ${time(startUs)}`] : []),
    ...(ratePpm === 0 ? [] : [`the clock of ${name(machine)} goes ${rate(ratePpm)}`]),
  ]);
}

function describeFate({ from, to, message, lock, number, arrivesAfterUs }: Fate, name: NameOf): string {
  const what = `${nameOf(message)} ${number} of lock ${lock} from ${name(from)} to ${name(to)}`;
  const [first, ...copies] = arrivesAfterUs.map(time);
  if (first === undefined) return `${what} is lost`;
  return `${what} arrives after ${first}${copies.length === 0 ? '' : `, and again after ${copies.join(' and ')}`}`;
}

function nameOf(kind: MessageKind): string {
  return kind.charAt(0).toUpperCase() + kind.slice(1);
}

function list(names: readonly string[]): string {
  return names.length === 0 ? 'nobody' : names.join(', ');
}

function rate(ppm: number): string {
  return ppm === 0 ? 'right' : `${Math.abs(ppm) / 10_000} % ${ppm > 0 ? 'fast' : 'slow'}`;
}

function time(us: number): string {
  return `${(us / 1000).toFixed(3).replace(/\.?0+$/, '')} ms`;
}
