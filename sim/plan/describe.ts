/** What makes a plan more than nodes at rest, one line for each part: what a minimised plan is read by. */
import { assertNever } from '../../src/core';
import type { MessageKind } from '../../src/core';
import type { Fate } from './fates';
import { lockNamesOf, nodeNamesOf } from './layout';
import type { CallerPlan, Death, Fault, LostMachine, Plan, Wish } from './plan';

/** How many parts a plan has: what the minimiser makes fewer. */
export interface Parts {
  readonly wishes: number;
  readonly faults: number;
  readonly fates: number;
  readonly looks: number;
  readonly lost: number;
}

export function partsOf(plan: Plan): Parts {
  return {
    wishes: plan.callers.reduce((sum, { wishes }) => sum + wishes.length, 0),
    faults: plan.faults.length,
    fates: plan.fates?.length ?? 0,
    looks: plan.looks?.length ?? 0,
    lost: plan.lostForEver?.length ?? 0,
  };
}

/** Something that happens, and what follows it at no time of its own. */
interface Moment {
  readonly atUs: number;
  readonly lines: readonly string[];
}

/**
 * What happens in order of time, then clocks that are off and messages that do not simply arrive. `endUs`: when
 * the run ends; the end of the faults is told only if it comes before that.
 */
export function describeParts(plan: Plan, endUs = plan.durationUs): string[] {
  const nodes = nodeNamesOf(plan);
  const name = (machine: number): string => nodes[machine] ?? `machine ${machine}`;
  const moment = (atUs: number, line: string): Moment => ({ atUs, lines: [line] });
  const isHealed = endUs > plan.durationUs;
  const moments = [
    ...plan.machines.flatMap(({ startUs }, machine) => (startUs > 0 && startUs < plan.durationUs ? [moment(startUs, `${name(machine)} starts`)] : [])),
    ...plan.callers.map((caller) => describeCaller(plan, caller, name)),
    ...plan.faults.map((fault) => moment(fault.atUs, describeFault(fault, name))),
    ...(plan.looks ?? []).map(({ atUs, machine, peer }) => moment(atUs, `${name(machine)} looks whether ${name(peer)} is up`)),
    ...(isHealed ? [moment(plan.durationUs, describeHeal(plan, name))] : []),
  ];
  moments.sort((a, b) => a.atUs - b.atUs);
  return [
    ...moments.flatMap(({ atUs, lines }) => lines.map((line, place) => `${(place === 0 ? time(atUs) : '').padStart(12)}  ${line}`)),
    ...[
      ...plan.machines.flatMap(({ startUs }, machine) => (startUs >= plan.durationUs && !isHealed ? [`${name(machine)} never starts`] : [])),
      ...plan.machines.flatMap(({ ratePpm }, machine) => (ratePpm === 0 ? [] : [`the clock of ${name(machine)} goes ${rate(ratePpm)}`])),
      ...(plan.fates ?? []).map((fate) => describeFate(fate, name)),
    ].map((line) => `${' '.repeat(12)}  ${line}`),
  ];
}

type NameOf = (machine: number) => string;

function describeCaller(plan: Plan, { machine, wishes }: CallerPlan, name: NameOf): Moment {
  const locks = lockNamesOf(plan.locks);
  const { startUs } = plan.machines[machine] ?? { startUs: 0 };
  const [first] = wishes;
  const lines = wishes.map((wish, place) => {
    const does = `${name(machine)} ${wish.steals ? 'steals' : 'wants'} ${locks[wish.lock]}${wish.mode === 'shared' ? ' shared' : ''}`;
    const holds = `${does}, to hold it for ${time(wish.holdUs)}`;
    const patience = wish.patienceUs === null ? '' : `, gives up after ${time(wish.patienceUs)}`;
    const twice = wish.releasesTwice === true ? ', and releases it twice' : '';
    const hears = wish.hearsAfterUs === undefined ? '' : `; in another process, which hears ${time(wish.hearsAfterUs)} late that the lock was taken`;
    const keeps = wish.keeps === true ? ', and which keeps the lock until others want it' : '';
    const passes = wish.passes === true ? ', and which passes the lock on to those behind it' : '';
    return `${place === 0 ? '' : `then, ${whenNext(wish)}, `}${holds}${patience}${twice}${hears}${keeps}${passes}`;
  });
  return { atUs: first?.atUs ?? startUs + (first?.thinkUs ?? 0), lines };
}

function whenNext({ atUs, thinkUs }: Wish): string {
  return atUs === undefined ? `${time(thinkUs)} later` : `at ${time(atUs)}`;
}

function describeHeal({ machines, durationUs, lostForEver = [], asksNoMore }: Plan, name: NameOf): string {
  const late = machines.flatMap(({ startUs }, machine) => (startUs >= durationUs ? [name(machine)] : []));
  return [
    'all faults end',
    ...(late.length === 0 ? [] : [`${list(late)} ${late.length === 1 ? 'starts' : 'start'}`]),
    ...lostForEver.map((lost) => describeLost(lost, name)),
    asksNoMore === true ? 'nobody asks for more' : 'every caller asks again and again',
  ].join('; ');
}

export function describeLost({ machine, how }: LostMachine, name: NameOf): string {
  return `${name(machine)} ${LOST[how]}`;
}

const LOST: Readonly<Record<LostMachine['how'], string>> = {
  dead: 'is dead for ever', frozen: 'is frozen for ever', cut: 'is cut off for ever', mute: 'is up for ever, and its disk is full',
  'left behind': 'runs on with the old file for ever',
};

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
      return `no message goes from ${list(fault.from.map(name))} to ${list(fault.to.map(name))} for ${time(fault.forUs)}${fault.as === 'unseen' ? ', but for signs of life' : ''}`;
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
      const { count, back } = fault;
      const what = fault.message === 'any' ? 'message' : nameOf(fault.message);
      const which = count === 1 ? `the last ${what}${back === 0 ? '' : ` but ${back}`}` : `the last ${count} ${what}s${back === 0 ? '' : ` but ${back}`}`;
      return `${which} from ${name(fault.from)} to ${name(fault.to)} ${count === 1 ? 'comes' : 'come'} once more`;
    }
    default:
      return assertNever(fault);
  }
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
