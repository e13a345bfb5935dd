/** The options of the simulator's command line, and how they are read. */
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { planeOrder } from '../src/quorum/plane';
import type { RunOptions } from './plan/draw';
import { FAMILIES, FAULT_KINDS, hasOutages, PROFILES } from './plan/plan';
import type { Family, FaultIntensities, FaultKind, Profile } from './plan/plan';
import { whyNotOf } from './plan/suits';

const SEED_MAX = 2 ** 32 - 1;
const NODES_MAX = 1_000;

export interface SeedRange {
  readonly from: number;
  readonly to: number;
}

export interface CommandLine {
  readonly seed?: number;
  readonly seeds?: SeedRange;
  readonly profile?: Profile;
  readonly nodes?: number;
  readonly family?: Family;
  readonly locks?: number;
  readonly callers?: number;
  readonly modeMix?: number;
  readonly lease?: number;
  readonly slack?: number;
  readonly ceilingBlock?: number;
  readonly duration?: number;
  readonly faults?: Partial<FaultIntensities>;
  readonly trace?: true;
  readonly jobs?: number;
  readonly keepGoing?: true;
  readonly minimise?: string | true;
  readonly html?: string;
  readonly shiviz?: string;
  readonly replay?: readonly string[];
  readonly mutant?: string;
}

export function addRunOptions(command: Command): Command {
  return command
    .option('--seed <number>', 'run this seed and report what happened', wholeNumber(0, SEED_MAX))
    .option('--seeds <from..to>', 'run all these seeds', parseSeeds)
    .addOption(new Option('--profile <name>', 'how hard it is').choices(Object.keys(PROFILES)))
    .option('--nodes <number>', 'how many nodes', wholeNumber(1, NODES_MAX))
    .addOption(new Option('--family <name>', 'which quorums').choices(FAMILIES))
    .option('--locks <number>', 'how many lock names', wholeNumber(1, 1_000))
    .option('--callers <number>', 'how many callers on each node', wholeNumber(1, 1_000))
    .option('--mode-mix <share>', 'the share of wishes that are shared, from 0 to 1', share)
    .option('--lease <ms>', 'how long a lease is', wholeNumber(10, 60_000))
    .option('--slack <number>', 'how far apart the Lamport clocks of one quorum may be', wholeNumber(1, 2 ** 40))
    .option('--ceiling-block <number>', 'how many clock values one write to disk reserves', wholeNumber(2, 2 ** 40))
    .option('--duration <ms>', 'how long faults occur, in virtual time', wholeNumber(1, 3_600_000))
    .option('--faults <list>', 'only these kinds of fault, such as loss=0.05,crash=2; or none', parseFaults);
}

export function profileHelp(): string {
  return table(PROFILES);
}

export function faultHelp(): string {
  return table(FAULT_KINDS);
}

export function table(rows: Readonly<Record<string, string>>): string {
  const width = Math.max(...Object.keys(rows).map((name) => name.length));
  return Object.entries(rows).map(([name, what]) => `  ${name.padEnd(width)}  ${what}`).join('\n');
}

/** @throws InvalidArgumentError for options that do not go together */
export function runOptionsOf(line: CommandLine): RunOptions {
  const { profile, nodes, family, locks, callers, modeMix, lease, slack, ceilingBlock, duration, faults } = line;
  if (family === 'plane' && (nodes === undefined || planeOrder(nodes) === null)) {
    throw new InvalidArgumentError(`--family plane needs --nodes 3, 7, 13, 31 or 57${nodes === undefined ? '' : `, not ${nodes}`}`);
  }
  if (faults !== undefined && profile !== undefined && profile !== 'swarm' && profile !== 'adrift') {
    throw new InvalidArgumentError(`--profile ${profile} has ${hasOutages(profile) || profile === 'rolling' || profile === 'namesakes' || profile === 'acts' ? 'its own' : 'no'} faults; leave out --faults or the profile`);
  }
  const misfit = profile === undefined ? null : whyNotOf(profile, { nodes, leaseMs: lease });
  if (misfit !== null) throw new InvalidArgumentError(`--profile ${profile} ${misfit}`);
  return {
    ...(profile === undefined ? {} : { profile }),
    ...(nodes === undefined ? {} : { nodes }),
    ...(family === undefined ? {} : { family }),
    ...(locks === undefined ? {} : { locks }),
    ...(callers === undefined ? {} : { callers }),
    ...(modeMix === undefined ? {} : { sharedShare: modeMix }),
    ...(lease === undefined ? {} : { leaseMs: lease }),
    ...(slack === undefined ? {} : { slack }),
    ...(ceilingBlock === undefined ? {} : { ceilingBlock }),
    ...(duration === undefined ? {} : { durationMs: duration }),
    ...(faults === undefined ? {} : { faults }),
  };
}

export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) throw new InvalidArgumentError(`Write a whole number from ${min} to ${max}.`);
    return value;
  };
}

function share(text: string): number {
  const value = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
  if (!(value >= 0 && value <= 1)) throw new InvalidArgumentError('Write a number from 0 to 1.');
  return value;
}

export function parseSeeds(text: string): SeedRange {
  const match = /^(\d+)\.\.(\d+)$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2]);
  if (!(from <= to && to <= SEED_MAX)) throw new InvalidArgumentError('Write two seeds, the smaller first, such as 1..10000.');
  return { from, to };
}

export function parseFaults(text: string): Partial<FaultIntensities> {
  if (text === 'none') return {};
  const faults: Partial<Record<FaultKind, number>> = {};
  for (const part of text.split(',')) {
    const [kind = '', value = ''] = part.split('=');
    if (!isFaultKind(kind)) throw new InvalidArgumentError(`There is no fault ${JSON.stringify(kind)}; there are ${Object.keys(FAULT_KINDS).join(', ')}.`);
    const intensity = /^\d*\.?\d+$/.test(value) ? Number(value) : NaN;
    const isProbability = /probability|share/.test(FAULT_KINDS[kind]);
    if (Number.isNaN(intensity) || (isProbability && intensity > 1)) {
      throw new InvalidArgumentError(`Write ${kind}=NUMBER${isProbability ? ' from 0 to 1' : ''}: ${FAULT_KINDS[kind]}.`);
    }
    faults[kind] = intensity;
  }
  return faults;
}

function isFaultKind(text: string): text is FaultKind {
  return Object.hasOwn(FAULT_KINDS, text);
}
