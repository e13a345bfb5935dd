/**
 * What the report says of a run: its examples, chosen from the logs, and its numbers, counted in them. Plain data that the
 * template prints.
 * Law: nothing here is known before the logs are read, and an example that they do not hold is an error.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { MessageKind, NodeId } from '../../src/core';
import { hasPriority } from '../../src/core';
import { buildCoterie } from '../../src/quorum';
import { ReportError } from './logs';
import type { Log, LoggedStep, Run } from './logs';
import { lineOf, logLines } from './log-lines';
import { ROOT } from './root';
import { drawSpaceTime } from './space-time';
import { locksOf, messagesOfHandOver, storyOf } from './story';
import type { Entry, Sent, Story } from './story';

export interface Example {
  readonly lock: string;
  /** What all Lamport times in its picture are counted from. */
  readonly base: number;
  readonly svg: string;
}

export interface EntryFound {
  readonly node: NodeId;
  readonly token: number;
}

export interface ClusterFound {
  readonly nodes: readonly NodeId[];
  readonly leaseMs: number;
  readonly events: number;
  readonly quorumSize: number;
  /** 3(K − 1) */
  readonly theory: number;
  /** Messages between nodes for each entry that nobody contended, in order. */
  readonly alone: readonly number[];
  readonly contended: { readonly rounds: number; readonly entries: number; readonly messages: number; readonly perEntry: string; readonly kinds: Readonly<Record<MessageKind, number>> };
  /** How often the lock was handed over by so many messages, one causing the next. */
  readonly handOvers: readonly { readonly messages: number; readonly count: number; readonly ms: string }[];
  /** Those whose entry had another cause too. */
  readonly handOversOther: number;
}

export interface Findings {
  readonly startedAt: string;
  readonly events: number;
  readonly entries: number;
  /** Entries that came before the one ahead had ended, or with a token that is not larger. */
  readonly overlaps: number;
  readonly fallenTokens: number;
  readonly asked: number;
  readonly longestWaitMs: number;
  readonly majority: ClusterFound;
  readonly grid: ClusterFound;
  readonly uncontended: Example & EntryFound & { readonly arbiter: NodeId; readonly timestamp: number; readonly grant: number; readonly release: number; readonly messages: number; readonly lines: readonly string[] };
  readonly contended: Example & {
    readonly yielder: NodeId; readonly yieldTo: NodeId; readonly arbiter: NodeId; readonly grant: number;
    readonly yielderTimestamp: number; readonly contenderTimestamp: number; readonly order: readonly EntryFound[];
  };
  readonly killed: Example & {
    readonly node: NodeId; readonly token: number; readonly next: NodeId; readonly nextToken: number; readonly nextAfterMs: number;
    readonly lastRequestBeforeKillMs: number; readonly repeats: number; readonly silentForMs: number;
    readonly after: EntryFound & { readonly inSilence: boolean };
  };
  readonly again: { readonly node: NodeId; readonly tokens: readonly number[]; readonly messages: readonly number[] };
  /** The table of ARCHITECTURE.md, row by row. */
  readonly departures: readonly (readonly string[])[];
  readonly logs: readonly { readonly title: string; readonly lines: readonly string[] }[];
}

export function findingsOf(run: Run): Findings {
  const stories = [run.majority, run.grid].flatMap((log) => locksOf(log).map((lock) => storyOf(log, lock)));
  const entries = stories.flatMap((story) => story.entries);
  const pairs = stories.flatMap((story) => story.entries.slice(1).map((after, index) => ({ story, before: story.entries[index] as Entry, after })));
  return {
    startedAt: new Date(Math.min(run.majority.startMs, run.grid.startMs)).toISOString(),
    events: run.majority.steps.length + run.grid.steps.length,
    entries: entries.length,
    overlaps: pairs.filter(({ story, before, after }) => isInside(run, story, before, after)).length,
    fallenTokens: pairs.filter(({ before, after }) => after.token <= before.token).length,
    asked: stories.reduce((sum, { steps }) => sum + steps.filter(({ logged: { event } }) => event.kind === 'acquire').length, 0),
    longestWaitMs: Math.max(...stories.flatMap((story) => story.entries.map(({ askedAt, enteredAt }) => at(story, enteredAt).atMs - at(story, askedAt).atMs))),
    majority: clusterFound(run.majority),
    grid: clusterFound(run.grid),
    uncontended: uncontendedOf(run.majority),
    contended: contendedOf(run.grid),
    killed: killedOf(run),
    again: againOf(run.grid),
    departures: departures(),
    logs: logLines(run),
  };
}

/** Told once, so that the report and the page cannot disagree. */
function departures(): string[][] {
  const [, section = ''] = readFileSync(join(ROOT, 'ARCHITECTURE.md'), 'utf8').split('## Where it departs from Maekawa 1985\n');
  const rows = section.split('\n').filter((line) => line.startsWith('| ')).slice(2);
  if (rows.length === 0) throw new ReportError('ARCHITECTURE.md has no table any more under "Where it departs from Maekawa 1985"');
  return rows.map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()));
}

/** Whether `before` was still inside when `after` entered: it had neither left nor been killed a while ago. */
function isInside(run: Run, { steps }: Story, before: Entry, after: Entry): boolean {
  if (before.leftAt !== null) return before.leftAt > after.enteredAt;
  return before.node !== run.killed.node || (steps[after.enteredAt]?.logged.atMs ?? 0) < run.killed.atMs;
}

/** From each Request to its Release: of a node that is killed some were not sent, or their record is lost. */
const isAlone = ({ entries, messages }: Story): boolean => {
  const told = (kind: MessageKind): string => [...new Set(messages.filter(({ message }) => message.kind === kind).map(({ to }) => to))].sort().join();
  return entries.length === 1 && told('request') === told('release') && told('inquire') === '' && told('yield') === '';
};
const isShared = (story: Story): boolean => new Set(story.entries.map(({ node }) => node)).size > 1 && story.entries.every(({ leftAt }) => leftAt !== null);

function clusterFound(log: Log): ClusterFound {
  const stories = locksOf(log).map((lock) => storyOf(log, lock));
  const shared = stories.filter(isShared);
  const sent = shared.flatMap(({ messages }) => messages);
  const entries = shared.reduce((sum, story) => sum + story.entries.length, 0);
  const handOvers = shared.flatMap((story) => story.entries.slice(1).map((after, index) => {
    const before = story.entries[index] as Entry;
    return { count: messagesOfHandOver(story, before, after), ms: at(story, after.enteredAt).atMs - at(story, before.leftAt ?? 0).atMs };
  }));
  const counts = [...new Set(handOvers.map(({ count }) => count))].filter((count) => count !== null).sort((a, b) => a - b);
  const quorumSize = Math.min(...log.nodes.map((node) => buildCoterie(log.nodes, log.quorums).votingSet(node).length));
  return {
    nodes: log.nodes,
    leaseMs: log.leaseMs,
    events: log.steps.length,
    quorumSize,
    theory: 3 * (quorumSize - 1),
    alone: stories.filter(isAlone).map(({ messages }) => messages.length),
    contended: { rounds: shared.length, entries, messages: sent.length, perEntry: entries === 0 ? '–' : (sent.length / entries).toFixed(1), kinds: countKinds(sent) },
    handOvers: counts.map((messages) => {
      const those = handOvers.filter(({ count }) => count === messages);
      return { messages, count: those.length, ms: median(those.map(({ ms }) => ms)).toString() };
    }),
    handOversOther: handOvers.filter(({ count }) => count === null).length,
  };
}

function countKinds(sent: readonly Sent[]): Record<MessageKind, number> {
  const count = (kind: MessageKind): number => sent.filter(({ message }) => message.kind === kind).length;
  return { request: count('request'), grant: count('grant'), release: count('release'), inquire: count('inquire'), yield: count('yield') };
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? 0;
}

function at({ steps }: Story, index: number): LoggedStep {
  const step = steps[index];
  if (step === undefined) throw new ReportError('an entry has no beginning in the log: the log of its node is cut off. Run it again');
  return step.logged;
}

function uncontendedOf(log: Log): Findings['uncontended'] {
  const story = locksOf(log).map((lock) => storyOf(log, lock)).find((each) => isAlone(each) && each.entries[0]?.leftAt !== null && each.messages.length > 0);
  const entry = story?.entries[0];
  const request = story?.messages.find(({ message }) => message.kind === 'request');
  const grant = story?.messages.find(({ message }) => message.kind === 'grant');
  const release = story?.messages.find(({ message }) => message.kind === 'release');
  if (story === undefined || entry === undefined || request?.message.kind !== 'request' || grant?.message.kind !== 'grant' || release === undefined) {
    throw new ReportError('the logs of the majority hold no entry that nobody contended, from its Request to its Release. Run it again');
  }
  return {
    ...exampleOf(log, story, 0, story.steps.length),
    node: entry.node, token: entry.token, arbiter: request.to, timestamp: request.message.timestamp,
    grant: grant.message.grant, release: release.message.clock,
    messages: story.messages.length,
    lines: story.steps.flatMap(({ logged }) => lineOf(log, logged) ?? []),
  };
}

/** Of all rounds with an Inquire that was answered with Yield, the one that takes the fewest events to tell. */
function contendedOf(log: Log): Findings['contended'] {
  const told = locksOf(log).flatMap((lock) => {
    const story = storyOf(log, lock);
    if (!isShared(story)) return [];
    return story.messages.flatMap((given) => {
      if (given.message.kind !== 'yield') return [];
      const { grant, timestamp } = given.message;
      // With votes that may be retained an arbiter inquires for younger requests too, which a request that waits does not answer.
      const favoured = story.messages.flatMap(({ message, to }) => (
        message.kind === 'inquire' && message.grant === grant && to === given.from && hasPriority(message.contender, { request: { timestamp, node: to }, claim: 'waits' }) ? [message.contender.request] : []
      )).at(0);
      const entered = favoured === undefined ? undefined : story.entries.find(({ node }) => node === favoured.node);
      if (favoured === undefined || entered === undefined || given.receivedAt === null) return [];
      const end = Math.max(entered.leftAt ?? entered.enteredAt, given.receivedAt) + 1;
      return [{ story, end, given, favoured, grant, timestamp }];
    });
  });
  const [first] = told.sort((a, b) => a.end - b.end);
  if (first === undefined) throw new ReportError('no log of the grid holds a contended entry with Inquire and Yield. Run it again, or for more rounds');
  const { story, end, given, favoured, grant, timestamp } = first;
  return {
    ...exampleOf(log, story, 0, end),
    yielder: given.from, yieldTo: favoured.node, arbiter: given.to, grant, yielderTimestamp: timestamp, contenderTimestamp: favoured.timestamp,
    order: story.entries.map(({ node, token }) => ({ node, token })),
  };
}

function killedOf({ grid, killed }: Run): Findings['killed'] {
  const story = locksOf(grid).map((lock) => storyOf(grid, lock)).find(({ entries }) => entries.some(({ node, leftAt }) => node === killed.node && leftAt === null));
  const dead = story?.entries.findIndex(({ node, leftAt }) => node === killed.node && leftAt === null) ?? -1;
  const [entry, next] = story?.entries.slice(dead) ?? [];
  const after = story?.entries.slice(dead + 1).find(({ node }) => node === killed.node);
  const silence = grid.steps.flatMap(({ event, atMs }) => (event.kind === 'peerUp' && event.peer === killed.node && atMs > killed.atMs ? [event.silentForMs ?? 0] : []));
  if (story === undefined || dead < 0 || entry === undefined || next === undefined || after === undefined || silence.length === 0) {
    throw new ReportError(`the logs of the grid do not show ${killed.node} killed inside a lock, its successor, and its own next entry. Run it again`);
  }
  const asked = story.messages.filter(({ from, message, sentAt }) => from === killed.node && message.kind === 'request' && at(story, sentAt).atMs <= killed.atMs);
  const requests = asked.map(({ receivedAt, sentAt }) => at(story, receivedAt ?? sentAt).atMs);
  const silentUntilMs = Math.max(...grid.steps.flatMap(({ event, atMs }) => (event.kind === 'peerUp' && event.peer === killed.node && atMs > killed.atMs ? [atMs + (event.silentForMs ?? 0)] : [])));
  return {
    ...exampleOf(grid, story, 0, (after.leftAt ?? after.enteredAt) + 1, killed),
    node: killed.node, token: entry.token, next: next.node, nextToken: next.token,
    nextAfterMs: at(story, next.enteredAt).atMs - killed.atMs,
    lastRequestBeforeKillMs: killed.atMs - Math.max(...requests),
    repeats: story.messages.filter(({ from, message, sentAt }) => from === next.node && message.kind === 'request' && sentAt > next.askedAt && sentAt < next.enteredAt).length,
    silentForMs: Math.max(...silence),
    after: { node: after.node, token: after.token, inSilence: at(story, after.enteredAt).atMs < silentUntilMs },
  };
}

/** A lock that one node entered more than once by the same votes. */
function againOf(log: Log): Findings['again'] {
  const story = locksOf(log).map((lock) => storyOf(log, lock)).find(({ entries }) => entries.length > 1 && new Set(entries.map(({ node }) => node)).size === 1);
  if (story === undefined) throw new ReportError('the logs of the grid hold no lock that one node entered twice. Run it again');
  const { entries, messages } = story;
  return {
    node: entries[0]?.node ?? '', tokens: entries.map(({ token }) => token),
    messages: entries.map(({ askedAt, enteredAt }) => messages.filter(({ sentAt }) => sentAt >= askedAt && sentAt <= enteredAt).length),
  };
}

function exampleOf(log: Log, story: Story, from: number, to: number, killed?: Run['killed']): Example {
  const base = baseOf(story);
  return { lock: story.lock, base, svg: drawSpaceTime({ log, story, from, to, base, ...(killed === undefined ? {} : { killed }) }) };
}

/** The last three digits and what they grow to are what tells the Lamport times of one story apart. */
function baseOf({ messages }: Story): number {
  const lowest = Math.min(...messages.map(({ message }) => message.timestamp));
  return lowest - (lowest % 1000);
}
