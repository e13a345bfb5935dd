/**
 * The ways in which a plan can be made simpler, each tried by itself: leave out wishes, faults and odd
 * fates of messages, set to rest what need not be odd, use fewer machines, round the times.
 */
import { DEFAULT_DRIFT_MAX_PPM } from '../plan/clock-rates';
import { intensitiesOf } from '../plan/intensities';
import type { Fate } from '../plan/fates';
import { lockNamesOf } from '../plan/layout';
import type { CallerPlan, Fault, MachinePlan, NetworkPlan, Plan, Wish } from '../plan/plan';
import type { Search } from './search';

export type Pass = (search: Search) => void;

/** In the order in which they are tried: what cuts most comes first. Each makes something smaller, so they come to an end. */
export const PASSES: readonly Pass[] = [
  endEarly, askNoMore, calmSettings, leaveOutWishes, leaveOutFaults, leaveOutFates, leaveOutLooks, leaveOutLost, leaveOutMachines,
  calmMachines, calmWishes, calmFaults, renumberLocks, closeGaps, shortenSpells, lengthenHolds, roundTimes,
];

/** Large enough to be in nobody's way, and small enough for short Lamport times. */
const SHORT = 1_000;

/** Where nobody is promised to be let in, a slack is as good as another. The smaller it is, the sooner clocks are apart. */
const SMALL_SLACKS = [5, 20, 100];

function leaveOutWishes(search: Search): void {
  search.leaveOut(search.plan.callers, (callers) => ({ ...search.plan, callers }));
  search.plan.callers.forEach(({ wishes }, index) => {
    if (wishes.length < 2) return;
    search.leaveOut(wishes, (kept) => ({ ...search.plan, callers: replaceAt(search.plan.callers, index, (caller) => ({ ...caller, wishes: kept })) }));
  });
}

function leaveOutFaults(search: Search): void {
  search.leaveOut(search.plan.faults, (faults) => ({ ...search.plan, faults }));
}

function leaveOutFates(search: Search): void {
  search.leaveOut(search.plan.fates ?? [], (fates) => ({ ...search.plan, fates }));
}

function leaveOutLooks(search: Search): void {
  search.leaveOut(search.plan.looks ?? [], (looks) => ({ ...search.plan, looks }));
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

/** Only who waits when the faults end need be let in. */
function askNoMore(search: Search): void {
  if (search.isAfterHeal) attemptChange(search, { asksNoMore: true });
}

/** Each setting that is drawn at random, as it would be if nothing were to be tested, or easy to read. */
function calmSettings(search: Search): void {
  const settings: readonly Partial<Plan>[] = [
    { timerLagUs: 1 }, { diskUs: 1 }, { uptimeUs: 0 }, { ceilingBlock: SHORT },
    { family: 'majority' }, { retain: true }, { driftMaxPpm: DEFAULT_DRIFT_MAX_PPM }, { retryMs: Math.max(1, Math.floor(search.plan.leaseMs / 3)) },
    { intensities: intensitiesOf({}) },
  ];
  const { change, ...unchanged } = search.plan;
  if (change !== undefined) search.attempt(unchanged);
  const { heldBackMax, locksKeptMax, ...roomy } = search.plan;
  if (heldBackMax !== undefined || locksKeptMax !== undefined) search.attempt(roomy);
  for (const setting of settings) attemptChange(search, setting);
  for (const slack of search.isAfterHeal ? [SHORT] : [...SMALL_SLACKS, SHORT]) {
    if (slack === search.plan.slack || attemptChange(search, { slack })) break;
  }
  const network: readonly Partial<NetworkPlan>[] = [
    { delayShape: 'constant' }, { lossPpm: 0 }, { duplicatePpm: 0 }, { latePpm: 0 }, { reorderPpm: 0 },
    { spikePpm: 0 }, { delayUs: 1_000 },
  ];
  for (const setting of network) attemptChange(search, { network: { ...search.plan.network, ...setting } });
}

/** A change that leaves nothing out is worth while only if it does not make the run longer. */
function attemptChange(search: Search, change: Partial<Plan>): boolean {
  const names = Object.keys(change) as (keyof Plan)[];
  return !names.every((name) => isSame(search.plan[name], change[name])) && search.attempt({ ...search.plan, ...change }, search.events);
}

function attemptCaller(search: Search, index: number, change: (caller: CallerPlan) => CallerPlan, eventsMax?: number): void {
  attemptItem(search, search.plan.callers, index, change, (callers) => ({ callers }), eventsMax);
}

function attemptFault(search: Search, index: number, change: (fault: Fault) => Fault): void {
  attemptItem(search, search.plan.faults, index, change, (faults) => ({ faults }));
}

function attemptFate(search: Search, index: number, change: (fate: Fate) => Fate): void {
  attemptItem(search, search.plan.fates ?? [], index, change, (fates) => ({ fates }));
}

function attemptMachine(search: Search, index: number, change: (machine: MachinePlan) => MachinePlan, eventsMax?: number): void {
  attemptItem(search, search.plan.machines, index, change, (machines) => ({ machines }), eventsMax);
}

function attemptItem<Item>(
  search: Search, items: readonly Item[], index: number, change: (item: Item) => Item, planOf: (items: readonly Item[]) => Partial<Plan>,
  eventsMax = search.events,
): void {
  const item = items[index];
  if (item === undefined || isSame(item, change(item))) return;
  search.attempt({ ...search.plan, ...planOf(replaceAt(items, index, change)) }, eventsMax);
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
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
    for (const name of ['releasesTwice', 'passes', 'keeps', 'hearsAfterUs'] as const) {
      attemptCaller(search, index, (caller) => ({ ...caller, wishes: caller.wishes.map((wish) => without(wish, name)) }));
    }
  });
}

function calmFaults(search: Search): void {
  search.plan.faults.forEach((_, index) => {
    attemptFault(search, index, (fault) => (fault.kind === 'crash' ? { ...fault, how: 'crash' } : fault));
    attemptFault(search, index, (fault) => (fault.kind === 'crash' ? { ...fault, wallBackUs: 0 } : fault));
    attemptFault(search, index, (fault) => (fault.kind === 'crash' ? { ...fault, writeLands: true } : fault));
    attemptFault(search, index, (fault) => (fault.kind === 'clog' ? without(fault, 'room') : fault));
    for (let before: Fault | null = null; before !== search.plan.faults[index]; ) {
      before = search.plan.faults[index] ?? null;
      attemptFault(search, index, (fault) => (fault.kind === 'echo' && fault.count > 1 ? { ...fault, count: fault.count - 1 } : fault));
      attemptFault(search, index, (fault) => (fault.kind === 'echo' && fault.count > 1 && fault.back > 0 ? { ...fault, count: fault.count - 1, back: fault.back - 1 } : fault));
    }
    const fault = search.plan.faults[index];
    if (fault?.kind !== 'cut') return;
    const withSide = (side: { readonly from: readonly number[] } | { readonly to: readonly number[] }): Plan =>
      ({ ...search.plan, faults: replaceAt(search.plan.faults, index, (each) => (each.kind === 'cut' ? { ...each, ...side } : each)) });
    search.leaveOut(fault.from, (from) => withSide({ from }));
    search.leaveOut(fault.to, (to) => withSide({ to }));
  });
}

/** Clocks that are right, and nodes that start at once, or not while there are faults. */
function calmMachines(search: Search): void {
  search.plan.machines.forEach((_, index) => {
    const { durationUs } = search.plan;
    const changes: readonly Partial<MachinePlan>[] = [{ ratePpm: 0 }, { wallSkewUs: 0 }];
    for (const change of changes) attemptMachine(search, index, (machine) => ({ ...machine, ...change }));
    if ((search.plan.machines[index]?.startUs ?? 0) >= durationUs) return;
    attemptMachine(search, index, (machine) => ({ ...machine, startUs: durationUs }), search.events - 1);
    attemptMachine(search, index, (machine) => (machine.startUs < durationUs ? { ...machine, startUs: 0 } : machine));
  });
}

function leaveOutLost(search: Search): void {
  search.leaveOut(search.plan.lostForEver ?? [], (lostForEver) => ({ ...search.plan, lostForEver }));
}

/** Also two at a time: of an even number of nodes a quorum is larger. */
function leaveOutMachines(search: Search): void {
  // The files of a change of layout name them all, and of two processes with one id the second is the last one.
  if (search.plan.rolling !== undefined || search.plan.act !== undefined || search.plan.namesake !== undefined) return;
  for (let index = search.plan.machines.length - 1; index >= 0 && search.plan.machines.length > 1; index--) {
    search.attempt(withoutMachine(search.plan, index));
  }
  for (let index = search.plan.machines.length - 1; index > 0; index--) {
    for (let other = index - 1; other >= 0 && index < search.plan.machines.length && search.plan.machines.length > 2; other--) {
      search.attempt(withoutMachine(withoutMachine(search.plan, index), other));
    }
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
    const times = timesOf(search);
    const fromUs = times[place];
    if (fromUs === undefined) return;
    const gapUs = fromUs - (times[place - 1] ?? 0);
    for (let part = 1; part >= 1 / 64; part /= 2) {
      const byUs = Math.floor(gapUs * part);
      if (byUs === 0) break;
      const earlier = mapTimes(search, { at: (us) => (us >= fromUs ? us - byUs : us), span: (us) => us });
      if (isSame(earlier, search.plan) || search.attempt(earlier, search.events)) break;
    }
  }
}

/** All points in time of the plan, in order, each once. */
function timesOf({ plan, isAfterHeal }: Search): number[] {
  const asked = plan.callers.flatMap(({ wishes }) => wishes.map((wish) => wish.atUs ?? 0));
  const others = [...plan.faults, ...(plan.looks ?? [])].map(({ atUs }) => atUs);
  const starts = plan.machines.map(({ startUs }) => startUs).filter((startUs) => startUs < plan.durationUs);
  return [...new Set([...others, ...asked, ...starts, ...(isAfterHeal ? [plan.durationUs] : [])])].sort((a, b) => a - b);
}

/** All that lasts: of each caller first everything, then how long it waits before it asks, holds, waits to be let in. */
function shortenSpells(search: Search): void {
  const keep = (us: number): number => us;
  for (const part of [0, 1 / 8, 1 / 2, 3 / 4]) {
    const shorten = (us: number): number => Math.floor(us * part);
    for (const map of [
      { at: keep, span: shorten }, { at: keep, span: keep, think: shorten }, { at: keep, span: keep, hold: shorten }, { at: keep, span: keep, patience: shorten },
    ] satisfies TimeMap[]) {
      search.plan.callers.forEach((_, index) => attemptCaller(search, index, (caller) => mapCaller(caller, map)));
    }
    search.plan.faults.forEach((_, index) => attemptFault(search, index, (fault) => mapFault(fault, { at: keep, span: shorten })));
  }
}

/** Who starves others takes fewer turns, the longer each is; once all is healed nobody holds for more than a quarter of a lease. */
function lengthenHolds(search: Search): void {
  if (!search.isAfterHeal) return;
  const holdUs = search.plan.leaseMs * 250;
  const lengthen: TimeMap = { at: (us) => us, span: (us) => us, hold: (us) => Math.max(us, holdUs) };
  search.plan.callers.forEach((_, index) => attemptCaller(search, index, (caller) => mapCaller(caller, lengthen), search.events - 1));
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
  const all = mapTimes(search, map);
  if (isSame(all, search.plan) || search.attempt(all, search.events)) return;
  search.plan.callers.forEach((_, index) => attemptCaller(search, index, (caller) => mapCaller(caller, map)));
  search.plan.faults.forEach((_, index) => attemptFault(search, index, (fault) => mapFault(fault, map)));
  search.plan.fates?.forEach((_, index) => attemptFate(search, index, (fate) => mapFate(fate, map)));
  search.plan.machines.forEach((_, index) => attemptMachine(search, index, (machine) => (
    machine.startUs < search.plan.durationUs ? { ...machine, startUs: map.at(machine.startUs) } : machine)));
}

/** What to do with each point in time and each length of time. */
interface TimeMap {
  readonly at: (us: number) => number;
  readonly span: (us: number) => number;
  /** With lengths of a wish, where it is something else. */
  readonly think?: (us: number) => number;
  readonly hold?: (us: number) => number;
  readonly patience?: (us: number) => number;
}

function mapTimes({ plan, isAfterHeal }: Search, map: TimeMap): Plan {
  const { durationUs } = plan;
  return {
    ...plan,
    // Else nothing that matters happens then.
    durationUs: isAfterHeal ? Math.max(1, map.at(durationUs)) : durationUs,
    machines: plan.machines.map((machine) => (machine.startUs < durationUs ? { ...machine, startUs: map.at(machine.startUs) } : machine)),
    callers: plan.callers.map((caller) => mapCaller(caller, map)),
    faults: plan.faults.map((fault) => mapFault(fault, map)),
    ...(plan.fates === undefined ? {} : { fates: plan.fates.map((fate) => mapFate(fate, map)) }),
    ...(plan.looks === undefined ? {} : { looks: plan.looks.map((look) => ({ ...look, atUs: map.at(look.atUs) })) }),
  };
}

function mapCaller({ machine, wishes }: CallerPlan, { at, span, think = span, hold = span, patience = span }: TimeMap): CallerPlan {
  return {
    machine,
    wishes: wishes.map((wish): Wish => ({
      ...wish,
      ...(wish.atUs === undefined ? {} : { atUs: at(wish.atUs) }),
      thinkUs: think(wish.thinkUs),
      holdUs: hold(wish.holdUs),
      patienceUs: wish.patienceUs === null ? null : patience(wish.patienceUs),
    })),
  };
}

function mapFault(fault: Fault, { at, span }: TimeMap): Fault {
  const moved = { ...fault, atUs: at(fault.atUs) };
  if ('forUs' in moved) return { ...moved, forUs: span(moved.forUs) };
  return moved.kind === 'jump' ? { ...moved, byUs: span(moved.byUs) } : moved;
}

function mapFate(fate: Fate, { span }: TimeMap): Fate {
  return { ...fate, arrivesAfterUs: fate.arrivesAfterUs.map(span) };
}
