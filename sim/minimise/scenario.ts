/**
 * A minimised run as a scenario: the conversation command by command, to be kept as a test once the bug
 * is mended. Not every run can be told so (clocks that go at different rates, machines that sleep), therefore
 * the scenario is run, and taken only if every node says and does the same in it.
 */
import type { Core } from '../core';
import { recordRun } from '../page/record-run';
import type { NoteRow, RecordedEffect, RecordedMessage, Recording, Row, StepRow } from '../page/recording';
import { familyLayoutOf, nodeIdsOf } from '../plan/layout';
import type { Family, Plan } from '../plan/plan';
import { ScenarioError, runScenario } from '../scenario';
import { withShortClocks } from '../outcome/trace';

/** With the conversation as this core holds it; null when it cannot be told, or nothing is violated. */
export function asScenario(plan: Plan, core: Core): string | null {
  const { recording, report } = recordRun(plan, { core });
  const { violation } = report;
  if (violation === null) return null;
  try {
    const commands = new Conversation(plan, recording, core).commands();
    const head = `# Seed ${plan.seed}, minimised: ${violation.check} is broken.\n# ${inOneLine(withShortClocks(plan, violation.detail))}\n`;
    const { said, output, violations } = hear(`${head}${commands}`, core);
    if (recording.nodes.some((node, index) => said(node) !== saidIn(recording, index))) return null;
    // What only the simulator can see is told by how things stand then.
    return violations.some((each) => each.includes(violation.check)) ? output : hear(`${head}${commands}\n\nstatus`, core).output;
  } catch (error) {
    if (error instanceof ScenarioError) return null;
    throw error;
  }
}

function inOneLine(text: string): string {
  return text.split('\n')[0] ?? text;
}

/** Run a scenario, and listen to what each node says and does. */
function hear(text: string, core: Core): ReturnType<typeof runScenario> & { said: (node: string) => string } {
  const said = new Map<string, string[]>();
  const heard: Core = {
    ...core,
    step: (node, event) => {
      const effects = core.step(node, event);
      const { id: self } = core.inspectNode(node);
      const words = effects.flatMap((effect) => {
        switch (effect.kind) {
          case 'send':
            return [`${effect.message.kind} ${effect.message.lock} to ${effect.to}`];
          case 'ignored':
            return [effect.reason];
          case 'entered':
          case 'renewed':
          case 'wanted':
          case 'lost':
          case 'recalled':
            return [`${effect.kind} ${effect.lock}`];
          case 'wake':
          case 'reserveCeiling':
          case 'joined':
            return [];
        }
      });
      said.set(self, [...(said.get(self) ?? []), ...words]);
      return effects;
    },
  };
  return { ...runScenario(text, { core: heard }), said: (node) => (said.get(node) ?? []).join('\n') };
}

/** The same of a recorded run. */
function saidIn(recording: Recording, node: number): string {
  const { nodes, locks, messages, rows } = recording;
  const words = ({ kind, message, lock, reason }: RecordedEffect): string[] => {
    const sent = messages[message ?? -1];
    switch (kind) {
      case 'send':
        return sent === undefined ? [] : [`${sent.message.kind} ${locks[sent.lock]} to ${nodes[sent.to]}`];
      case 'ignored':
        return [reason ?? ''];
      case 'entered':
      case 'renewed':
      case 'wanted':
      case 'lost':
      case 'recalled':
        return [`${kind} ${locks[lock ?? 0]}`];
      case 'wake':
      case 'reserveCeiling':
      case 'joined':
        return [];
    }
  };
  return rows.flatMap((row) => (row.kind === 'step' && row.node === node ? row.effects.flatMap(words) : [])).join('\n');
}

class Conversation {
  private paragraphs: string[] = [];
  private nowMs = 0;
  /** By node: when its life began. */
  private readonly bornMs: number[] = [];
  /** Callers that are not inside any more, and do not wait: node and number. */
  private readonly gone = new Set<string>();

  constructor(
    private readonly plan: Plan,
    private readonly recording: Recording,
    private readonly core: Core,
  ) {}

  /** @throws ScenarioError when a message that arrived is not in flight in the scenario */
  commands(): string {
    const { machines, family, leaseMs, retryMs, driftMaxPpm, slack, ceilingBlock, retain = true } = this.plan;
    this.say(
      `nodes ${machines.length} ${quorumsInWords(family, machines.length)}`, `lease ${leaseMs}`, `retry ${retryMs}`, `drift ${driftMaxPpm / 1_000_000}`,
      `slack ${slack}`, `block ${ceilingBlock}`, ...(retain ? [] : ['retain off']), 'handshakes off', ...this.absent().map((node) => `absent ${node}`),
    );
    this.recording.rows.forEach((row, index) => {
      const commands = row.kind === 'note' ? this.ofNote(row) : row.kind === 'step' ? this.ofStep(row, index) : [];
      if (commands.length > 0) this.say(...this.advanceTo(this.timeOf(row)), ...commands);
      if (row.kind === 'step') this.follow(row);
    });
    return this.text;
  }

  /** Who does not start at once. */
  private absent(): string[] {
    const { nodes, rows } = this.recording;
    const first = new Set(rows.flatMap((row) => (row.kind === 'step' && row.event.kind === 'start' && row.atUs === 0 ? [row.node] : [])));
    return nodes.filter((_, node) => !first.has(node));
  }

  private get text(): string {
    return this.paragraphs.join('\n\n');
  }

  private say(...lines: string[]): void {
    this.paragraphs.push(lines.join('\n'));
  }

  /** What matters is a node's own time, which need not be rounded as true time is. */
  private timeOf(row: Row): number {
    const born = row.kind === 'step' && row.event.kind !== 'start' ? this.bornMs[row.node] : undefined;
    return row.kind === 'step' && born !== undefined ? born + row.nowMs : Math.floor(row.atUs / 1000);
  }

  private follow({ node, event, effects }: StepRow): void {
    if (event.kind === 'start') this.bornMs[node] = this.nowMs;
    if (event.kind === 'release') this.gone.add(`${node} ${event.caller}`);
    for (const effect of effects) if (effect.kind === 'lost') this.gone.add(`${node} ${effect.caller}`);
  }

  /** Nobody wakes by itself: each wake is a command. */
  private advanceTo(atMs: number): string[] {
    const byMs = atMs - this.nowMs;
    if (byMs <= 0) return [];
    this.nowMs += byMs;
    return [`advance ${byMs} late`];
  }

  private ofNote({ about, node, text }: NoteRow): string[] {
    // A node that stops in good order does so at an event of its own.
    if (about !== 'death' || node === null || text.includes('stops')) return [];
    return [`crash ${this.nodeName(node)}`];
  }

  private ofStep({ node, event }: StepRow, index: number): string[] {
    const id = this.nodeName(node);
    const lock = this.recording.locks[event.lock ?? 0];
    switch (event.kind) {
      case 'start':
        if (event.life === 1) return this.absent().includes(id) ? [`start ${id}`] : [];
        return [`restart ${id}${this.wasWiped(index) ? ' wiped' : ''}`];
      case 'stop':
        return [`stop ${id}`];
      case 'acquire':
        return [`${id} ${event.steals === true ? 'steals' : 'acquires'} ${lock}${event.mode === 'shared' ? ' shared' : ''}${event.remote === true ? ' remote' : ''} as caller${event.caller}`];
      case 'release':
        return this.gone.has(`${node} ${event.caller}`) ? [] : [`${id} releases ${lock} as caller${event.caller}`];
      case 'message':
        return this.delivery(this.recording.messages[event.message ?? -1], index);
      case 'wake':
        return [`wake ${id}`];
      case 'peerUp':
        return [`up ${this.nodeName(event.peer ?? node)} at ${id}`];
      case 'peerDown':
        return [`down ${this.nodeName(event.peer ?? node)} at ${id}`];
      case 'slept':
        throw new ScenarioError('a scenario knows no machines that sleep');
      case 'silence':
        throw new ScenarioError('a scenario knows no drivers that keep a node silent');
      case 'namesake':
        throw new ScenarioError('a scenario knows no two processes of one id');
      case 'ceilingReserved':
        return []; // At once, in a scenario.
    }
  }

  private delivery(message: RecordedMessage | undefined, index: number): string[] {
    if (message === undefined) throw new ScenarioError('a message of which nothing is known');
    const { messages } = this.recording;
    const [from, to] = [this.nodeName(message.from), this.nodeName(message.to)];
    const kind = message.message.kind.charAt(0).toUpperCase() + message.message.kind.slice(1);
    const isRival = (other: RecordedMessage): boolean =>
      other.from === message.from && other.to === message.to && other.message.kind === message.message.kind && other.sentAt < index;
    const rivals = messages.filter((other) => isRival(other) && isInFlight(other, index));
    // Where one name fits several, the number that the scenario gave it decides.
    const name = rivals.length === 1 ? `${kind} ${from} -> ${to}` : this.numberOf(`${from} → ${to}  ${kind} `, rivals.indexOf(message));
    const comesAgain = message.receivedAt.some((row) => row > index);
    return [...(comesAgain ? [`duplicate ${name}`] : []), `deliver ${comesAgain ? this.numberOf(`${from} → ${to}  ${kind} `, rivals.indexOf(message)) : name}`];
  }

  /** `m7`: the one in this place among those in flight of this kind and on this way, in the order of sending. */
  private numberOf(start: string, place: number): string {
    const { output } = runScenario(`${this.text}\n\nin flight`, { core: this.core });
    const listed = output.slice(output.lastIndexOf('in flight')).split('\n').flatMap((line) => {
      const match = /^(m\d+) {2}(.*)$/.exec(line);
      return match?.[2]?.startsWith(start) === true ? [match[1] ?? ''] : [];
    });
    const number = listed[place];
    if (number === undefined) throw new ScenarioError(`${start}is not in flight`);
    return number;
  }

  private wasWiped(index: number): boolean {
    const row = this.recording.rows[index];
    const death = this.recording.rows.slice(0, index).findLast((each) => each.kind === 'note' && each.about === 'death' && each.node === row?.node);
    return death?.kind === 'note' && /wiped|corrupt/.test(death.text);
  }

  private nodeName(node: number): string {
    return this.recording.nodes[node] ?? '';
  }
}

/** Sent before, and a copy of it is still to arrive, or never will. */
function isInFlight({ receivedAt }: RecordedMessage, index: number): boolean {
  return receivedAt.length === 0 || receivedAt.some((row) => row >= index);
}

/** As a scenario names them. */
function quorumsInWords(family: Family, nodes: number): string {
  const layout = familyLayoutOf(family, nodeIdsOf(nodes));
  return layout.family === 'explicit' ? `explicit ${Object.values(layout.sets).map((set) => `{${set.join(',')}}`).join(' ')}` : layout.family;
}
