/**
 * A minimised run as a scenario: the conversation command by command, to be kept as a test once the bug
 * is mended. Not every run can be told so (clocks that drift, times below a millisecond), therefore the
 * scenario is run, and taken only if it violates the same check.
 */
import type { Core } from '../core';
import { recordRun } from '../page/record-run';
import type { NoteRow, RecordedMessage, Recording, StepRow } from '../page/recording';
import type { Plan } from '../plan';
import { ScenarioError, runScenario } from '../scenario';

/** With the conversation as this core holds it; null when it does not come to the same violation. */
export function asScenario(plan: Plan, core: Core): string | null {
  const { recording, report } = recordRun(plan, { core });
  const { violation } = report;
  if (violation === null) return null;
  try {
    const commands = new Conversation(plan, recording, core).commands();
    const text = `# Seed ${plan.seed}, minimised: ${violation.check} is broken.\n${commands}`;
    const { output, violations } = runScenario(text, { core });
    return violations.some((each) => each.includes(violation.check)) ? output : null;
  } catch (error) {
    if (error instanceof ScenarioError) return null;
    throw error;
  }
}

class Conversation {
  private paragraphs: string[] = [];
  private nowMs = 0;

  constructor(
    private readonly plan: Plan,
    private readonly recording: Recording,
    private readonly core: Core,
  ) {}

  /** @throws ScenarioError when a message that arrived is not in flight in the scenario */
  commands(): string {
    const { machines, family, leaseMs, retryMs, driftMaxPpm, slack, ceilingBlock } = this.plan;
    this.say(
      `nodes ${machines.length} ${family}`, `lease ${leaseMs}`, `retry ${retryMs}`, `drift ${driftMaxPpm / 1_000_000}`,
      `slack ${slack}`, `block ${ceilingBlock}`,
    );
    this.recording.rows.forEach((row, index) => {
      const commands = row.kind === 'note' ? this.ofNote(row) : row.kind === 'step' ? this.ofStep(row, index) : [];
      if (commands.length > 0) this.say(...this.advanceTo(row.atUs), ...commands);
    });
    return this.text;
  }

  private get text(): string {
    return this.paragraphs.join('\n\n');
  }

  private say(...lines: string[]): void {
    this.paragraphs.push(lines.join('\n'));
  }

  /** Nobody wakes by itself: each wake is a command. */
  private advanceTo(atUs: number): string[] {
    const byMs = Math.floor(atUs / 1000) - this.nowMs;
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
        return event.life === 1 ? [] : [`restart ${id}${this.wasWiped(index) ? ' wiped' : ''}`];
      case 'stop':
        return [`stop ${id}`];
      case 'acquire':
        return [`${id} ${event.steals === true ? 'steals' : 'acquires'} ${lock}${event.mode === 'shared' ? ' shared' : ''} as caller${event.caller}`];
      case 'release':
        return [`${id} releases ${lock} as caller${event.caller}`];
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
    return death?.kind === 'note' && death.text.includes('wiped');
  }

  private nodeName(node: number): string {
    return this.recording.nodes[node] ?? '';
  }
}

/** Sent before, and a copy of it is still to arrive, or never will. */
function isInFlight({ receivedAt }: RecordedMessage, index: number): boolean {
  return receivedAt.length === 0 || receivedAt.some((row) => row >= index);
}
