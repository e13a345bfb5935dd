/** The command line of the explorer. */
import { parseArgs } from 'node:util';
import { planted } from '../mutants/catalogue';
import type { Mutant } from '../mutants/mutant';
import { LIVES_MAX } from './machines';
import type { Limits } from './search';
import { BUDGETED, FAMILIES, NO_FAULTS, callersAt, callersInTurn, coterieOf, defaultSetup } from './setup';
import type { Budget, CallerPlan, ExploredFamily, Setup } from './setup';

/** The user asked for what cannot be. Never a bug. */
export class UsageError extends Error {}

export interface Options {
  readonly setup: Setup;
  readonly limits: Limits;
  /** Where to save the conversation of a violation. */
  readonly save: string | null;
  /** A bug that is planted in the core first. */
  readonly mutant: Mutant | null;
  readonly help: boolean;
}

const BYTES = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 } as const;
const NODES_MAX = 9;
/** What a caller may be beside exclusive, local and honest. */
const CALLER_WORDS = ['shared', 'steals', 'remote'] as const;
/** What may happen at one node has to fit into 31 bits. */
const CALLERS_A_NODE_MAX = 6;

export const USAGE = `npm run sim:explore -- [options]

What to explore (one lock)
  --nodes N           how many nodes (3)
  --family F          ${FAMILIES.join(', ')} (majority)
  --requests N        how many callers ask, one on each node in turn (2)
  --shared N          how many of them, the last ones, ask in shared mode (0)
  --callers LIST      instead of these: where callers ask, e.g. n1,n1,n2:shared,n3:steals,n2:remote (in another
                      process, which hears late that its lock was taken), n1:shared:remote
  --slack N           SLACK of the tokens (1000)
  --no-retain         release for real, every time

How often at most
  --loss N            a message is lost (0)
  --duplicate N       a message is delivered and stays in flight (0)
  --crash N           a node dies; it may restart at any later time (0)
  --handshakes-apart  each node finds out by itself that another is back (default: all do when it starts)
  --lease-end N       time passes until every lease so far has run out (0)
  --lease-steps N     ... in so many equal steps, each of them counted (1)
  --repeat N          a node repeats its Requests before that (0)
  --cancel N          a caller gives up waiting (0)
  --suspect N         a node takes a live peer for down (0)
  --free-clocks       leases end at one node at a time, as if clocks ran as they like; then only tokens are checked

Limits
  --memory SIZE       of all tables, e.g. 500M or 8G (2G)
  --states N          distinct states (none)

  --overtaking        count how often an older request that has reached its whole voting set is overtaken
  --keep-order        tell states apart by the order of Sets and Maps too
  --save FILE         write the conversation of a violation as a scenario
  --mutant NAME       plant this bug in the core first; the table of npm run sim:mutants has their names
  --help

Exit codes: 0 all states are clean, 1 a rule is broken, 2 wrong usage, 3 a limit came first.`;

/** @throws UsageError */
export function parseOptions(args: readonly string[]): Options {
  const values = parsed(args);
  const setup = setupOf(values);
  return {
    setup,
    limits: {
      bytesMax: bytes(values.memory ?? '2G'),
      statesMax: values.states === undefined ? Infinity : whole(values.states, '--states'),
    },
    save: values.save ?? null,
    mutant: mutantOf(values),
    help: values.help === true,
  };
}

type Values = ReturnType<typeof parsed>;

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        nodes: { type: 'string' }, family: { type: 'string' }, requests: { type: 'string' }, shared: { type: 'string' },
        callers: { type: 'string' }, slack: { type: 'string' }, 'no-retain': { type: 'boolean' },
        loss: { type: 'string' }, duplicate: { type: 'string' }, crash: { type: 'string' }, 'lease-end': { type: 'string' },
        'lease-steps': { type: 'string' }, repeat: { type: 'string' }, cancel: { type: 'string' },
        suspect: { type: 'string' }, 'free-clocks': { type: 'boolean' }, 'handshakes-apart': { type: 'boolean' },
        overtaking: { type: 'boolean' },
        memory: { type: 'string' }, states: { type: 'string' }, 'keep-order': { type: 'boolean' },
        save: { type: 'string' }, mutant: { type: 'string' }, help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function setupOf(values: Values): Setup {
  const nodes = whole(values.nodes ?? '3', '--nodes');
  if (nodes < 1 || nodes > NODES_MAX) throw new UsageError(`--nodes ${nodes}: from 1 to ${NODES_MAX}`);
  const callers = callersOf(values, nodes);
  const base = defaultSetup(nodes, callers, budgetOf(values));
  const setup: Setup = {
    ...base,
    family: familyOf(values.family ?? base.family),
    slack: values.slack === undefined ? base.slack : whole(values.slack, '--slack'),
    leaseSteps: Math.max(1, whole(values['lease-steps'] ?? '1', '--lease-steps')),
    freeClocks: values['free-clocks'] === true,
    handshakesApart: values['handshakes-apart'] === true,
    countsOvertaking: values.overtaking === true,
    retain: values['no-retain'] !== true,
    keepOrder: values['keep-order'] === true,
  };
  for (let place = 0; place < nodes; place++) {
    if (callersAt(setup, place).length > CALLERS_A_NODE_MAX) throw new UsageError(`more than ${CALLERS_A_NODE_MAX} callers at n${place + 1}`);
  }
  try {
    coterieOf(setup);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  return setup;
}

function mutantOf({ mutant }: Values): Mutant | null {
  try {
    return mutant === undefined ? null : planted(mutant);
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--mutant: ${error.message}`);
    throw error;
  }
}

function callersOf(values: Values, nodes: number): CallerPlan[] {
  if (values.callers !== undefined) {
    if (values.requests !== undefined || values.shared !== undefined) throw new UsageError('--callers takes the place of --requests and --shared; leave these out');
    return values.callers.split(',').map((caller) => callerOf(caller, nodes));
  }
  const requests = whole(values.requests ?? '2', '--requests');
  const shared = whole(values.shared ?? '0', '--shared');
  if (shared > requests) throw new UsageError(`--shared ${shared}: there are only ${requests} requests`);
  return callersInTurn(nodes, requests - shared, shared);
}

function callerOf(text: string, nodes: number): CallerPlan {
  const [name = '', ...words] = text.trim().split(':');
  const node = Number(/^n(\d+)$/.exec(name)?.[1]) - 1;
  const areKnown = words.every((word) => CALLER_WORDS.some((each) => each === word));
  if (!(node >= 0 && node < nodes && areKnown)) {
    throw new UsageError(`--callers: '${text}' where n1 to n${nodes} was expected, and after it any of ${CALLER_WORDS.map((word) => `:${word}`).join(', ')}`);
  }
  return { node, mode: words.includes('shared') ? 'shared' : 'exclusive', steals: words.includes('steals'), remote: words.includes('remote') };
}

function budgetOf(values: Values): Budget {
  const budget = { ...NO_FAULTS };
  for (const each of BUDGETED) {
    const option = each === 'leaseEnd' ? 'lease-end' : each;
    const value = values[option];
    if (value !== undefined) budget[each] = whole(value, `--${option}`);
  }
  if (budget.crash >= LIVES_MAX) throw new UsageError(`--crash ${budget.crash}: at most ${LIVES_MAX - 1}`);
  return budget;
}

function familyOf(text: string): ExploredFamily {
  const family = FAMILIES.find((each) => each === text);
  if (family === undefined) throw new UsageError(`--family ${text}: one of ${FAMILIES.join(', ')}`);
  return family;
}

function whole(text: string, option: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`${option} ${text}: a whole number was expected`);
  return Number(text);
}

function bytes(text: string): number {
  const match = /^(\d{1,9})([KMG])B?$/i.exec(text);
  if (match === null) throw new UsageError(`--memory ${text}: a size such as 500M or 8G was expected`);
  return Number(match[1]) * BYTES[(match[2] ?? '').toUpperCase() as keyof typeof BYTES];
}
