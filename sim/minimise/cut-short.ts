/**
 * Who waits for ever waits until a bound is over, and what does not come to rest goes on until another is; nearly
 * all that happens meanwhile has happened before: the same requests are repeated, the same leases end. A run is
 * cut short where only such repetition follows. That it fails under the whole bound is known before; this only
 * leaves out what adds nothing.
 */
import type { Effect, Event, Message, NodeId } from '../../src/core';
import type { Core } from '../core';
import type { Plan } from '../plan/plan';
import { runPlan } from '../run';
import type { Observer } from '../world/observer';
import type { FailingRun } from './failing-run';

/** The same violation as early as can be, or the run as it is. */
export function cutShort(run: FailingRun, core: Core): FailingRun {
  const { plan, violation } = run;
  if (violation.check !== 'progress' && violation.check !== 'no-residue') return run;
  const repeatsFromUs = lastNewsUs(plan, core);
  const withBound = (progressBoundUs: number): FailingRun | null => {
    const report = runPlan({ ...plan, progressBoundUs }, { core });
    const found = report.violation;
    const isSame = found?.check === violation.check && whoOf(found.detail) === whoOf(violation.detail);
    return isSame && found.atUs > repeatsFromUs && found.atUs < violation.atUs ? { plan: report.plan, report, violation: found } : null;
  };
  let tooShortUs = 0;
  let longEnoughUs = 1_000;
  let best = withBound(longEnoughUs);
  while (best === null) {
    if (longEnoughUs > violation.atUs) return run;
    tooShortUs = longEnoughUs;
    longEnoughUs *= 2;
    best = withBound(longEnoughUs);
  }
  while (longEnoughUs - tooShortUs > 100) {
    const middleUs = Math.floor((tooShortUs + longEnoughUs) / 2);
    const found = withBound(middleUs);
    if (found === null) tooShortUs = middleUs;
    else [longEnoughUs, best] = [middleUs, found];
  }
  return best;
}

/** `n1 caller 2 waits for lock a`, without how long. */
function whoOf(detail: string): string {
  return detail.replace(/ since .*/, '');
}

/** When something happened for the last time that had not happened before, but for its numbers and times. */
export function lastNewsUs(plan: Plan, core: Core): number {
  const news = new News();
  runPlan(plan, { core, observer: news });
  return news.lastUs;
}

class News implements Observer {
  lastUs = 0;
  private readonly known = new Set<string>();

  stepped(atUs: number, node: NodeId, event: Event, effects: readonly Effect[]): void {
    for (const what of [describe(event), ...effects.map(describeEffect)]) if (what !== null) this.see(atUs, `${node} ${what}`);
  }

  private see(atUs: number, what: string): void {
    if (this.known.has(what)) return;
    this.known.add(what);
    this.lastUs = atUs;
  }
}

function describe(event: Event): string {
  switch (event.kind) {
    case 'message':
      return `from ${event.from} ${describeMessage(event.message)}`;
    case 'acquire':
    case 'release':
      return `${event.kind} ${event.lock}`;
    case 'peerUp':
    case 'peerDown':
      return `${event.kind} ${event.peer}`;
    default:
      return event.kind;
  }
}

function describeEffect(effect: Effect): string | null {
  switch (effect.kind) {
    case 'send':
      return `to ${effect.to} ${describeMessage(effect.message)}`;
    case 'ignored':
      return null; // Now and then another message comes too late: no news.
    case 'entered':
    case 'renewed':
    case 'lost':
    case 'recalled':
      return `${effect.kind} ${effect.lock}`;
    default:
      return effect.kind;
  }
}

function describeMessage({ kind, lock }: Message): string {
  return `${kind} ${lock}`;
}
