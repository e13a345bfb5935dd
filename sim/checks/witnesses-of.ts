/**
 * Which witnesses a run has. It follows from its plan: what a run promises depends on its profile.
 * Law: the only place that knows all witnesses by name.
 */
import type { Namesake, Plan, Rolling } from '../plan/plan';
import { Answers } from './answers';
import { AsksBack } from './asks-back';
import { CallersKnown } from './callers-known';
import { CeilingInTime } from './ceiling-in-time';
import { Deadlock } from './deadlock';
import { AsksForClocksInTime, RepeatsInTime, RepeatsWhenDue } from './due';
import { Exclusion } from './exclusion';
import { Fairness } from './fairness';
import { Fenced } from './fenced';
import { Frugal } from './frugal';
import { CalledIn } from './called-in';
import { GivesWay } from './gives-way';
import { Greets } from './greets';
import { InLine } from './in-line';
import { JumpsWhenNotTold } from './jumps';
import { KeepsAlways, KeepsWhenOthersAreStruck, KeepsWhileQuorumLives } from './keeps';
import { LeaseInside } from './lease-inside';
import { LendsOn } from './lends-on';
import { KeepsItsLimits, RefusedClearly } from './limits';
import { LostAtOnce } from './lost-at-once';
import { CeilingHolds, GrantRises, RequestUnique } from './messages';
import { NewLife } from './new-life';
import { NoResidue } from './no-residue';
import { OneConfiguration } from './one-configuration';
import { Openings } from './openings';
import { Orders } from './orders';
import { Overtaken } from './overtaken';
import { PassesInTurn } from './passes-in-turn';
import { CalmProgress, NoStorm, Progress } from './progress';
import { Prompt } from './prompt';
import type { Scene } from './scene';
import { Sparing } from './sparing';
import { Spreads } from './spreads';
import { StandsApart } from './stands-apart';
import { StolenForSomebody } from './stolen-for-somebody';
import { Struck } from './struck';
import { TokenCovered } from './token-covered';
import { TokenPromise } from './token-promise';
import { TokenRises } from './token-rises';
import { Usable } from './usable';
import { ValidAsHeard } from './valid-as-heard';
import { WhomToAsk } from './whom-to-ask';
import { WithinRoom } from './within-room';
import type { Witness } from './witness';

/** For tests of the checks themselves. */
export interface CheckSettings {
  /** Leave out the checks that most often fail before `exclusion` can, to see what a bug leads to. */
  readonly skipsLeaseInside?: boolean;
  /** Leave out those that judge each step of a requester, to see what a wrong step leads to. */
  readonly skipsSteps?: boolean;
}

/** Those that write down what happens: `first` before it is judged, `last` only what all let pass. */
export interface Accounts {
  readonly first: readonly Witness[];
  readonly last: readonly Witness[];
}

/**
 * All who watch a run, in the order in which they are told: first the witnesses for which something should not have
 * happened at all, then the accounts of it, then the witnesses that judge what came of it.
 */
export function witnessesOf(plan: Plan, scene: Scene, accounts: Accounts, { skipsLeaseInside = false, skipsSteps = false }: CheckSettings = {}): Witness[] {
  const { profile, rolling, namesake, act } = plan;
  if (act !== undefined) return ofAct(plan, scene, accounts);
  if (namesake !== undefined) return ofNamesakes(plan, namesake, scene, accounts);
  if (rolling !== undefined) return ofRolling(plan, rolling, scene, accounts);
  const isCalm = profile === 'calm';
  const isFrugal = profile === 'frugal';
  const isAdrift = profile === 'adrift';
  const hasLimits = plan.requestsOfANodeMax !== undefined;
  const losesHeldBack = plan.heldBackMax !== undefined;
  const openings = new Openings(scene);
  const promise = new TokenPromise(scene);
  const leaseInside = skipsLeaseInside || isAdrift ? null : new LeaseInside(scene);
  return [
    new NoStorm(scene),
    ...(isCalm || isFrugal ? [new KeepsAlways(scene)] : []),
    ...(profile === 'steadfast' ? [new KeepsWhileQuorumLives(scene, plan, openings)] : []),
    ...accounts.first,
    new CallersKnown(scene),
    openings,
    promise,
    new CeilingHolds(scene),
    new GrantRises(scene, losesHeldBack),
    new RequestUnique(scene),
    new Exclusion(scene, isAdrift ? 'overlaps' : null),
    new TokenRises(scene, promise, isAdrift ? openings : null),
    new StolenForSomebody(scene, losesHeldBack),
    // What is lost before it is sent nobody sees, nor what made way for a late copy.
    ...(losesHeldBack || hasLimits ? [] : [new Deadlock(scene)]),
    ...(hasLimits ? [new RefusedClearly(scene, plan)] : []),
    ...(losesHeldBack ? [new KeepsItsLimits(scene, plan)] : []),
    ...(isCalm ? [new Fairness(scene)] : []),
    ...(losesHeldBack ? [] : [new AsksBack(scene, plan), new RepeatsInTime(scene, plan)]),
    ...(skipsSteps ? [] : [new Answers(scene), new WhomToAsk(scene, losesHeldBack)]),
    new InLine(scene, plan, plan.intensities.steal > 0),
    new LendsOn(scene, plan),
    new GivesWay(scene),
    new Greets(scene),
    new AsksForClocksInTime(scene, plan),
    new Orders(scene),
    new WithinRoom(scene, plan),
    new CeilingInTime(scene, plan),
    // Where there is room for few, one that waits may have made way for another of its node.
    ...(hasLimits ? [] : [new Overtaken(scene, plan)]),
    new CalledIn(scene),
    new PassesInTurn(scene, plan),
    new Usable(scene, plan),
    ...(skipsLeaseInside ? [] : [new ValidAsHeard(scene, plan)]),
    ...(isCalm || isFrugal ? [] : [new Spreads(scene, plan)]),
    new NewLife(scene, plan),
    new JumpsWhenNotTold(scene, plan),
    new LostAtOnce(scene),
    ...(leaseInside === null ? [] : [leaseInside, new TokenCovered(scene, promise, leaseInside, plan.slack)]),
    new Fenced(scene, promise, openings),
    new NoResidue(scene, plan),
    ...(isFrugal ? [new Frugal(scene, plan.leaseMs), new RepeatsWhenDue(scene, plan)] : []),
    ...(isCalm ? [new Sparing(scene, plan), new RepeatsWhenDue(scene, plan)] : []),
    new Progress(scene, plan),
    ...(isCalm ? [new CalmProgress(scene, plan)] : []),
    ...spaced(scene, plan),
    ...accounts.last,
  ];
}

/** Without memory tokens rest on the wall clocks, so of those nothing is said (protocol.md section 18.1). */
function ofRolling(plan: Plan, rolling: Rolling, scene: Scene, accounts: Accounts): Witness[] {
  return ofSeveralVotes(plan, scene, accounts, [new OneConfiguration(scene, rolling), new Exclusion(scene, null), new StolenForSomebody(scene)]);
}

/** Of two layouts each has its own quorums: what is said across both is said of holders and tokens. */
function ofAct(plan: Plan, scene: Scene, accounts: Accounts): Witness[] {
  const promise = new TokenPromise(scene);
  return ofSeveralVotes(plan, scene, accounts, [new Exclusion(scene, null), new TokenRises(scene, promise, null)], { promise });
}

/** Two processes of one id are two arbiters where some checks know of one. Exclusion and tokens are promised only where each hears of the other. */
function ofNamesakes(plan: Plan, { isTold }: Namesake, scene: Scene, accounts: Accounts): Witness[] {
  const promise = new TokenPromise(scene);
  const own = [new StandsApart(scene, plan), new Exclusion(scene, isTold ? null : 'besideNamesakes'), ...(isTold ? [new TokenRises(scene, promise, null)] : [])];
  // What stood apart asks anew, under new timestamps.
  return ofSeveralVotes(plan, scene, accounts, own, { ...(isTold ? { promise } : {}), asksAnew: true });
}

/** What holds though not all nodes vote in one quorum system, or one of them is there twice; and what else is `own`. */
function ofSeveralVotes(
  plan: Plan, scene: Scene, accounts: Accounts, own: readonly Witness[], { promise, asksAnew = plan.intensities.steal > 0 }: { readonly promise?: TokenPromise; readonly asksAnew?: boolean } = {},
): Witness[] {
  return [
    new NoStorm(scene),
    ...accounts.first,
    new CallersKnown(scene),
    ...(promise === undefined ? [] : [promise]),
    new CeilingHolds(scene),
    new GrantRises(scene),
    new RequestUnique(scene, plan.rolling !== undefined),
    ...own,
    new InLine(scene, plan, asksAnew),
    new CalledIn(scene),
    new PassesInTurn(scene, plan),
    new Usable(scene, plan),
    new LostAtOnce(scene),
    new NoResidue(scene, plan),
    new Progress(scene, plan),
    ...accounts.last,
  ];
}

/** Faults come one at a time: what each may cost is known. */
function spaced(scene: Scene, plan: Plan): Witness[] {
  if (plan.profile !== 'spaced') return [];
  const struck = new Struck(scene, plan, plan.leaseMs * 1000);
  return [struck, new KeepsWhenOthersAreStruck(scene, plan, struck), new Prompt(scene, plan, struck)];
}
