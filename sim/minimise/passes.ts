/**
 * The ways in which a plan can be made simpler, each tried by itself: leave out wishes, faults and odd
 * fates of messages, set to rest what need not be odd, use fewer machines, round the times.
 */
import { intensitiesOf } from '../draw';
import type { Fate } from '../fates';
import { lockNamesOf } from '../layout';
import type { CallerPlan, Fault, MachinePlan, NetworkPlan, Plan, Wish } from '../plan';
import { leaveOut } from './leave-out';
import type { Search } from './search';

export type Pass = (search: Search) => void;

/** In the order in which they are tried: what cuts most comes first. Each makes something smaller, so they come to an end. */
export const PASSES: readonly Pass[] = [
  endEarly, calmSettings, leaveOutWishes, leaveOutFaults, leaveOutFates, leaveOutLooks, leaveOutLost, leaveOutMachines, calmMachines, calmWishes, calmFaults,
  renumberLocks, closeGaps, shortenSpells, roundTimes,
];

/** Large enough to be in nobody's way, and small enough for short Lamport times. */
const SHORT = 1_000;

function leaveOutWishes(search: Search): void {
  leaveOut(search.plan.callers, (callers) => search.attempt({ ...search.plan, callers }));
  search.plan.callers.forEach(({ wishes }, index) => {
    if (wishes.length < 2) return;
    leaveOut(wishes, (kept) => kept.length > 0
      && search.attempt({ ...search.plan, callers: replaceAt(search.plan.callers, index, (caller) => ({ ...caller, wishes: kept })) }));
  });
}

function leaveOutFaults(search: Search): void {
  leaveOut(search.plan.faults, (faults) => search.attempt({ ...search.plan, faults }));
}

function leaveOutFates(search: Search): void {
  leaveOut(search.plan.fates ?? [], (fates) => search.attempt({ ...search.plan, fates }));
}

function leaveOutLooks(search: Search): void {
  leaveOut(search.plan.looks ?? [], (looks) => search.attempt({ ...search.plan, looks }));
}

/** What was to happen after the violation never did. */
function endEarly(search: Search): void {
  const { plan, violation } = search;
  const durationUs = violation.atUs + 1;
  if (durationUs >= plan.durationUs) return;
  search.attempt({
    ...plan,
    durationUs,
    faults: plan.faults.filter((fault) => fault.atUs < durationUs),
    ...(plan.looks === undefined ? {} : { looks: plan.looks.filter((look) => look.atUs < durationUs) }),
    callers: plan.callers.filter(({ wishes }) => wishes.some((wish) => (wish.atUs ?? 0) < durationUs)),
  });
}

/** Each setting that is drawn at random, as it would be if nothing were to be tested, or easy to read. */
function calmSettings(search: Search): void {
  const settings: readonly Partial<Plan>[] = [
    { timerLagUs: 1 }, { diskUs: 1 }, { uptimeUs: 0 }, { slack: SHORT }, { ceilingBlock: SHORT },
    { family: 'majority' }, { intensities: intensitiesOf({}) },
  ];
  for (const setting of settings) attemptChange(search, setting);
  const network: readonly Partial<NetworkPlan>[] = [
    { delayShape: 'constant' }, { lossPpm: 0 }, { duplicatePpm: 0 }, { latePpm: 0 }, { reorderPpm: 0 },
    { spikePpm: 0 }, { delayUs: 1_000 },
  ];
  for (const setting of network) attemptChange(search, { network: { ...search.plan.network, ...setting } });
}

/** A change that leaves nothing out is worth while only if it does not make the run longer. */
function attemptChange(search: Search, change: Partial<Plan>): void {
  const names = Object.keys(change) as (keyof Plan)[];
  const isNew = names.some((name) => JSON.stringify(search.plan[name]) !== JSON.stringify(change[name]));
  if (isNew) search.attempt({ ...search.plan, ...change }, search.events);
}

function attemptCaller(search: Search, index: number, change: (caller: CallerPlan) => CallerPlan): void {
  attemptChange(search, { callers: replaceAt(search.plan.callers, index, change) });
}

function attemptFault(search: Search, index: number, change: (fault: Fault) => Fault): void {
  attemptChange(search, { faults: replaceAt(search.plan.faults, index, change) });
}

function attemptFate(search: Search, index: number, change: (fate: Fate) => Fate): void {
  attemptChange(search, { fates: replaceAt(search.plan.fates ?? [], index, change) });
}

function replaceAt<Item>(items: readonly Item[], index: number, change: (item: Item) => Item): Item[] {
  return items.map((item, each) => (each === index ? change(item) : item));
}

function without<Item extends object, Name extends keyof Item>(item: Item, name: Name): Omit<Item, Name> {
  const rest: Partial<Item> = { ...item };
  delete rest[name];
  return rest as Omit<Item, Name>;
}

function calmWishes(search: Search): void {
  search.plan.callers.forEach((_, index) => {
    const changes: readonly Partial<Wish>[] = [{ steals: false }, { patienceUs: null }, { mode: 'exclusive' }];
    for (const change of changes) {
      attemptCaller(search, index, (caller) => ({ ...caller, wishes: caller.wishes.map((wish) => ({ ...wish, ...change })) }));
    }
    attemptCaller(search, index, (caller) => ({ ...caller, wishes: caller.wishes.map((wish) => without(wish, 'releasesTwice')) }));
  });
}

function calmFaults(search: Search): void {
  search.plan.faults.forEach((_, index) => {
    attemptFault(search, index, (fault) => (fault.kind === 'crash' ? { ...fault, how: 'crash' } : fault));
    attemptFault(search, index, (fault) => (fault.kind === 'crash' ? { ...fault, wallBackUs: 0 } : fault));
    attemptFault(search, index, (fault) => (fault.kind === 'crash' ? { ...fault, writeLands: true } : fault));
    attemptFault(search, index, (fault) => (fault.kind === 'clog' ? without(fault, 'room') : fault));
    const fault = search.plan.faults[index];
    if (fault?.kind !== 'cut') return;
    const attemptCut = (side: { readonly from: readonly number[] } | { readonly to: readonly number[] }): boolean =>
      search.attempt({ ...search.plan, faults: replaceAt(search.plan.faults, index, (each) => (each.kind === 'cut' ? { ...each, ...side } : each)) });
    leaveOut(fault.from, (from) => attemptCut({ from }));
    leaveOut(fault.to, (to) => attemptCut({ to }));
  });
}

/** Clocks that are right, and nodes that start at once, or never. */
function calmMachines(search: Search): void {
  search.plan.machines.forEach((_, index) => {
    const { durationUs } = search.plan;
    const hasStarted = (search.plan.machines[index]?.startUs ?? 0) < durationUs;
    const changes: readonly Partial<MachinePlan>[] = [
      { ratePpm: 0 }, { wallSkewUs: 0 }, ...(hasStarted ? [{ startUs: durationUs }, { startUs: 0 }] : []),
    ];
    for (const change of changes) {
      attemptChange(search, {
        machines: search.plan.machines.map((machine, each) => (each === index ? { ...machine, ...change } : machine)),
      });
    }
  });
}

function leaveOutLost(search: Search): void {
  leaveOut(search.plan.lostForEver ?? [], (lostForEver) => search.attempt({ ...search.plan, lostForEver }));
}

function leaveOutMachines(search: Search): void {
  for (let index = search.plan.machines.length - 1; index >= 0 && search.plan.machines.length > 1; index--) {
    search.attempt(withoutMachine(search.plan, index));
  }
}

/** The plan without one machine and all that has to do with it; later machines move up. A plane of one point less is none. */
export function withoutMachine(plan: Plan, index: number): Plan {
  const moved = (machine: number): number => (machine > index ? machine - 1 : machine);
  const others = (machines: readonly number[]): number[] => machines.filter((machine) => machine !== index).map(moved);
  const faults = plan.faults.flatMap((fault): Fault[] => {
    switch (fault.kind) {
      case 'cut':
        return [{ ...fault, from: others(fault.from), to: others(fault.to) }];
      case 'clog':
      case 'echo':
        return fault.from === index || fault.to === index ? [] : [{ ...fault, from: moved(fault.from), to: moved(fault.to) }];
      case 'suspect':
        return fault.machine === index || fault.peer === index
          ? []
          : [{ ...fault, machine: moved(fault.machine), peer: moved(fault.peer) }];
      default:
        return fault.machine === index ? [] : [{ ...fault, machine: moved(fault.machine) }];
    }
  });
  const fates = plan.fates
    ?.filter((fate) => fate.from !== index && fate.to !== index)
    .map((fate) => ({ ...fate, from: moved(fate.from), to: moved(fate.to) }));
  const lostForEver = plan.lostForEver
    ?.filter((lost) => lost.machine !== index)
    .map((lost) => ({ ...lost, machine: moved(lost.machine) }));
  const looks = plan.looks
    ?.filter((look) => look.machine !== index && look.peer !== index)
    .map((look) => ({ ...look, machine: moved(look.machine), peer: moved(look.peer) }));
  return {
    ...plan,
    family: plan.family === 'plane' ? 'majority' : plan.family,
    machines: plan.machines.filter((_, each) => each !== index),
    faults,
    callers: plan.callers.filter((caller) => caller.machine !== index).map((caller) => ({ ...caller, machine: moved(caller.machine) })),
    ...(fates === undefined ? {} : { fates }),
    ...(looks === undefined ? {} : { looks }),
    ...(lostForEver === undefined ? {} : { lostForEver }),
  };
}

/** Only the locks that are wanted, named from the first on. */
function renumberLocks(search: Search): void {
  const { plan } = search;
  const wanted = [...new Set(plan.callers.flatMap(({ wishes }) => wishes.map((wish) => wish.lock)))].sort((a, b) => a - b);
  if (wanted.length === 0 || wanted.length === plan.locks) return;
  const names = lockNamesOf(plan.locks);
  const renumbered: Plan = {
    ...plan,
    locks: wanted.length,
    callers: plan.callers.map((caller) => ({ ...caller, wishes: caller.wishes.map((wish) => ({ ...wish, lock: wanted.indexOf(wish.lock) })) })),
  };
  if (plan.fates === undefined) return void search.attempt(renumbered);
  const fates = plan.fates.flatMap((fate) => {
    const lock = names[wanted.indexOf(names.indexOf(fate.lock))];
    return lock === undefined ? [] : [{ ...fate, lock }];
  });
  search.attempt({ ...renumbered, fates });
}

/** Nothing need happen for long before the first thing, nor between one and the next. */
function closeGaps(search: Search): void {
  for (let place = 0; ; place++) {
    const times = timesOf(search.plan);
    const fromUs = times[place];
    if (fromUs === undefined) return;
    const gapUs = fromUs - (times[place - 1] ?? 0);
    for (let part = 1; part >= 1 / 64; part /= 2) {
      const byUs = Math.floor(gapUs * part);
      if (byUs === 0) break;
      const earlier = mapTimes(search.plan, { at: (us) => (us >= fromUs ? us - byUs : us), span: (us) => us });
      if (search.attempt(earlier, search.events)) break;
    }
  }
}

/** All points in time of the plan, in order, each once. */
function timesOf(plan: Plan): number[] {
  const asked = plan.callers.flatMap(({ wishes }) => wishes.map((wish) => wish.atUs ?? 0));
  const others = [...plan.faults, ...(plan.looks ?? [])].map(({ atUs }) => atUs);
  return [...new Set([...others, ...asked])].sort((a, b) => a - b);
}

function shortenSpells(search: Search): void {
  for (const part of [0, 1 / 8, 1 / 2, 3 / 4]) {
    const shorter: TimeMap = { at: (us) => us, span: (us) => Math.floor(us * part) };
    search.plan.callers.forEach((_, index) => attemptCaller(search, index, (caller) => mapCaller(caller, shorter)));
    search.plan.faults.forEach((_, index) => attemptFault(search, index, (fault) => mapFault(fault, shorter)));
  }
}

/** Down to whole tens of milliseconds, to milliseconds, to tenths: all at once, or each thing by itself. */
function roundTimes(search: Search): void {
  for (const unitUs of [10_000, 1_000, 100]) {
    const round = (us: number): number => Math.floor(us / unitUs) * unitUs;
    const rounding: TimeMap = { at: round, span: (us) => (us < unitUs ? us : round(us)) };
    attemptTimes(search, rounding);
  }
}

/** At the end, and once: odd times up to whole milliseconds, which are easier to read than shorter ones. */
export function roundTimesUp(search: Search): void {
  const round = (us: number): number => Math.ceil(us / 1_000) * 1_000;
  attemptTimes(search, { at: round, span: round });
}

function attemptTimes(search: Search, map: TimeMap): void {
  const all = mapTimes(search.plan, map);
  if (JSON.stringify(all) === JSON.stringify(search.plan) || search.attempt(all, search.events)) return;
  search.plan.callers.forEach((_, index) => attemptCaller(search, index, (caller) => mapCaller(caller, map)));
  search.plan.faults.forEach((_, index) => attemptFault(search, index, (fault) => mapFault(fault, map)));
  search.plan.fates?.forEach((_, index) => attemptFate(search, index, (fate) => mapFate(fate, map)));
}

/** What to do with each point in time and each length of time. */
interface TimeMap {
  readonly at: (us: number) => number;
  readonly span: (us: number) => number;
}

function mapTimes(plan: Plan, map: TimeMap): Plan {
  return {
    ...plan,
    callers: plan.callers.map((caller) => mapCaller(caller, map)),
    faults: plan.faults.map((fault) => mapFault(fault, map)),
    ...(plan.fates === undefined ? {} : { fates: plan.fates.map((fate) => mapFate(fate, map)) }),
    ...(plan.looks === undefined ? {} : { looks: plan.looks.map((look) => ({ ...look, atUs: map.at(look.atUs) })) }),
  };
}

function mapCaller({ machine, wishes }: CallerPlan, { at, span }: TimeMap): CallerPlan {
  return {
    machine,
    wishes: wishes.map((wish): Wish => ({
      ...wish,
      ...(wish.atUs === undefined ? {} : { atUs: at(wish.atUs) }),
      holdUs: span(wish.holdUs),
      patienceUs: wish.patienceUs === null ? null : span(wish.patienceUs),
    })),
  };
}

function mapFault(fault: Fault, { at, span }: TimeMap): Fault {
  return 'forUs' in fault ? { ...fault, atUs: at(fault.atUs), forUs: span(fault.forUs) } : { ...fault, atUs: at(fault.atUs) };
}

function mapFate(fate: Fate, { span }: TimeMap): Fate {
  return { ...fate, arrivesAfterUs: fate.arrivesAfterUs.map(span) };
}
