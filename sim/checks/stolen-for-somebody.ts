/**
 * stolen-for-somebody: a holder is robbed only for a request that still waited for the lock when the hold had begun
 * (protocol.md section 12). An order for a thief that had come and gone by then robs nobody; nor one that answers a Request from before all
 * of those robbed were inside.
 * Must never look into the core: it sees messages, entries and losses.
 */
import { doesHold, doesSteal } from '../../src/core';
import type { Event, LamportTime, Message } from '../../src/core';
import { violated } from './check';
import { wishOf } from './scene';
import type { CallerView, Scene } from './scene';
import type { EffectOf, Entry, Witness } from './witness';

/** Nodes count whole milliseconds, and one may begin within another. */
const RESOLUTION_US = 2_000;

export class StolenForSomebody implements Witness {
  /** By node and lock: until when a request waited to steal it; Infinity while one does. */
  private readonly waitedUntilUs: number[];
  /** And which request it is or was. */
  private readonly thieves: LamportTime[] = [];
  /** By node: how long its machine slept in this life. */
  private readonly sleptMs: number[] = [];
  /** By lock: when a caller of that node last entered, as Requests say it. */
  private readonly enteredAtMs: number[] = [];
  /** When the Request was sent that the Inquire answers which is being handled. */
  private answersMs: number | null = null;

  /** @param losesHeldBack whether a node has so little room that what a thief says may be lost before it is sent */
  constructor(private readonly scene: Scene, private readonly losesHeldBack = false) {
    this.waitedUntilUs = scene.nodeIds.flatMap(() => scene.locks.map(() => -Infinity));
  }

  started(machine: number): void {
    this.sleptMs[machine] = 0;
  }

  stepping(machine: number, event: Event): void {
    if (event.kind === 'slept') this.sleptMs[machine] = (this.sleptMs[machine] ?? 0) + event.byMs;
    this.answersMs = event.kind === 'message' && event.message.kind === 'inquire' ? event.message.sentAtMs : null;
    if (!this.losesHeldBack || (event.kind !== 'acquire' && event.kind !== 'release')) return;
    // Its Request may be lost for want of room, and the order for it go out by a later one, or by a repeat.
    const lock = this.scene.lockOf(event.lock);
    if (event.kind === 'acquire' && event.steals === true) this.waitedUntilUs[this.keyOf(machine, lock)] = Infinity;
    else if (event.kind === 'release' && !this.doesThiefWait(machine, lock)) this.over(machine, lock);
  }

  sent(from: number, _to: number, lock: number, message: Message): void {
    const key = this.keyOf(from, lock);
    if (message.kind === 'request' && doesSteal(message.claim) && !doesHold(message.claim)) {
      this.thieves[key] = message.timestamp;
      this.waitedUntilUs[key] = Infinity;
    } else if (message.kind === 'release' && message.timestamp === this.thieves[key]) {
      this.over(from, lock);
    }
  }

  entered({ machine, lock }: Entry): void {
    this.enteredAtMs[this.keyOf(machine, lock)] = this.scene.nowMs(machine) + (this.sleptMs[machine] ?? 0);
    this.over(machine, lock);
  }

  dying(machine: number): void {
    for (let lock = 0; lock < this.scene.locks.length; lock++) this.over(machine, lock);
  }

  lost(machine: number, { lock: name, thief }: EffectOf<'lost' | 'recalled'>, caller: CallerView | undefined): void {
    if (thief === undefined || caller === undefined) return;
    const { nodeIds, nowUs } = this.scene;
    const from = nodeIds.indexOf(thief.node);
    if (from === machine) {
      if (thief.caller !== undefined) return;
      violated('stolen-for-somebody', `${nodeIds[machine]} caller ${caller.id} loses lock ${name}, and hears that its own node took it for nobody`);
    }
    const enteredAtMs = this.enteredAtMs[this.keyOf(machine, caller.lock)] ?? -Infinity;
    if (this.answersMs !== null && this.answersMs < enteredAtMs) {
      violated('stolen-for-somebody', `${nodeIds[machine]} caller ${caller.id} loses lock ${name} to ${thief.node} by an answer to a Request of ${this.answersMs}; the last of those inside entered at ${enteredAtMs}`);
    }
    const waitedUntilUs = this.waitedUntilUs[this.keyOf(from, this.scene.lockOf(name))] ?? -Infinity;
    if (waitedUntilUs + RESOLUTION_US >= caller.enteredAtUs || (this.losesHeldBack && this.doesThiefWait(from, caller.lock))) return;
    violated('stolen-for-somebody', `${nodeIds[machine]} caller ${caller.id} loses lock ${name} to ${thief.node}, which has not waited for it `
      + `for ${nowUs - waitedUntilUs} us, and the hold is ${nowUs - caller.enteredAtUs} us old`);
  }

  private doesThiefWait(machine: number, lock: number): boolean {
    return this.scene.callers.some((each) => each.machine.index === machine && each.lock === lock && each.state === 'waiting' && wishOf(each).steals);
  }

  private over(machine: number, lock: number): void {
    const key = this.keyOf(machine, lock);
    if (this.waitedUntilUs[key] === Infinity) this.waitedUntilUs[key] = this.scene.nowUs;
  }

  private keyOf(machine: number, lock: number): number {
    return machine * this.scene.locks.length + lock;
  }
}
