/** The production core with one rule broken, made by wrapping it: what a simulator must find. */
import { PRODUCTION_CORE } from '../../sim/core';
import type { Core } from '../../sim/core';
import { drawPlan } from '../../sim/plan/draw';
import type { RunOptions } from '../../sim/plan/draw';
import { runPlan } from '../../sim/run';
import type { Plan } from '../../sim/plan/plan';

/** An arbiter that restarted lends its vote at once. */
export const NO_SILENCE: Core = {
  ...PRODUCTION_CORE,
  createNode: (settings, birth) => PRODUCTION_CORE.createNode(settings, { ...birth, firstStart: true }),
};

/** One vote fewer than a quorum is enough. */
export const ONE_VOTE_TOO_FEW: Core = {
  ...PRODUCTION_CORE,
  createNode: (settings, birth) => {
    const { coterie, self } = settings;
    const enough = Math.max(1, coterie.votingSet(self).length - 1);
    return PRODUCTION_CORE.createNode({
      ...settings,
      coterie: {
        nodes: coterie.nodes,
        votingSet: (node) => coterie.votingSet(node),
        quorumAvoiding: (node, down) => coterie.quorumAvoiding(node, down),
        containsQuorum: (members) => members.size >= enough,
      },
    }, birth);
  },
};

/** The clock runs backwards across a restart. */
export const CEILING_FORGOTTEN: Core = {
  ...PRODUCTION_CORE,
  createNode: (settings, birth) => PRODUCTION_CORE.createNode(settings, { ...birth, ceilingOnDisk: 0 }),
};

/** No grant is ever given back. */
export const NO_YIELD: Core = {
  ...PRODUCTION_CORE,
  step: (node, event) => PRODUCTION_CORE.step(node, event).filter((effect) => effect.kind !== 'send' || effect.message.kind !== 'yield'),
};

/** What is given back is kept from all others. */
export const DEAF_TO_YIELDS: Core = {
  ...PRODUCTION_CORE,
  step: (node, event) => (event.kind === 'message' && event.message.kind === 'yield' ? [] : PRODUCTION_CORE.step(node, event)),
};

/** The plan of the first seed at which this core violates a check. */
export function failingPlan(core: Core, options: RunOptions = {}, isWanted: (check: string) => boolean = () => true): Plan {
  for (let seed = 1; seed < 1000; seed++) {
    const plan = drawPlan(seed, options);
    const { violation } = runPlan(plan, { core });
    if (violation !== null && isWanted(violation.check)) return plan;
  }
  throw new Error('no seed up to 1000 fails');
}
