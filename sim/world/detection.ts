/** How nodes find out, some time after it, which of their peers are up. */
import { Random } from '../plan/random';
import { DETECT } from './items';
import type { Machine } from './machine';
import type { Stage, Step } from './stage';

/** So many times a node that may be mute is looked at, four times in each retry interval. */
const MUTE_LOOKS = 240;

/** What is known of nodes that run with two files. */
interface RivalsInReach {
  areOfOneFile(machine: Machine, peer: Machine): boolean;
  silentForMs(peer: Machine): number;
  peerUp(machine: Machine, peer: Machine): void;
  peerDown(machine: Machine, peer: Machine): void;
}

/** What is known of two processes with one id. */
interface NamesakesInReach {
  concerns(one: Machine, other: Machine): boolean;
  look(observer: Machine, peer: Machine): void;
  starts(machine: Machine): void;
}

export class Detection {
  private readonly random: Random;
  /** Per link, what its near end takes the far end for: the life it saw, or 0 for down. */
  private readonly seenLife: number[];
  private readonly suspectedUntilUs: number[];
  private readonly foundMute = new Set<number>();
  /** Where nodes run with two files. */
  rivals: RivalsInReach | null = null;
  /** Where two processes have one id. */
  namesakes: NamesakesInReach | null = null;

  constructor(private readonly stage: Stage, private readonly step: Step) {
    this.random = new Random(stage.plan.seed, 'detection');
    this.seenLife = new Array<number>(stage.places.length ** 2).fill(0);
    this.suspectedUntilUs = new Array<number>(stage.places.length ** 2).fill(0);
  }

  /** Some time from now, `observer` finds out how things are with `peer`. */
  look(observer: number, peer: number): void {
    const { plan, isHealed, agenda, nowUs, network } = this.stage;
    if (plan.looks !== undefined && !isHealed) return;
    agenda.push(nowUs + 1 + this.random.below(plan.network.detectionUs), DETECT, network.link(observer, peer), 0);
  }

  lookFromAll(peer: number): void {
    for (let other = 0; other < this.stage.places.length; other++) {
      if (other === peer) continue;
      this.look(other, peer);
      this.look(peer, other);
    }
  }

  /** It may fall mute: it and its peers look again and again, as each sign of life would say. */
  watch(peer: number, forUs = Infinity): void {
    const { agenda, nowUs, plan, places, network } = this.stage;
    const everyUs = Math.ceil(plan.retryMs * 250);
    const looks = Math.min(MUTE_LOOKS, Math.ceil(forUs / everyUs));
    for (let other = 0; other < places.length; other++) {
      if (other === peer) continue;
      for (let turn = 1; turn <= looks; turn++) {
        const atUs = nowUs + turn * everyUs + this.random.below(everyUs);
        agenda.push(atUs, DETECT, network.link(other, peer), 0);
        agenda.push(atUs, DETECT, network.link(peer, other), 0);
      }
    }
  }

  lookAcross(these: readonly number[], those: readonly number[]): void {
    for (const from of these) {
      for (const to of those) {
        this.look(from, to);
        this.look(to, from);
      }
    }
  }

  /** A node takes a peer for down, whatever it is. */
  suspect(machine: number, peer: number, forUs: number): void {
    const { agenda, nowUs, network } = this.stage;
    const link = network.link(machine, peer);
    this.suspectedUntilUs[link] = nowUs + forUs;
    agenda.push(nowUs, DETECT, link, 0);
  }

  heal(): void {
    this.suspectedUntilUs.fill(0);
  }

  /** A node that starts knows nobody. */
  forget(machine: number): void {
    const { places, network } = this.stage;
    this.namesakes?.starts(this.stage.machine(machine));
    for (let peer = 0; peer < places.length; peer++) if (peer !== machine) this.seenLife[network.link(machine, peer)] = 0;
  }

  detect(machine: Machine, link: number): void {
    if (machine.node === null) return;
    const { network, nowUs, core, witnesses, places } = this.stage;
    const peer = this.stage.machine(link % places.length);
    if (this.namesakes?.concerns(machine, peer) === true) return this.namesakes.look(machine, peer);
    const back = network.link(peer.index, machine.index);
    const { rivals } = this;
    const isReached = peer.node !== null && (rivals === null ? machine.file === peer.file : rivals.areOfOneFile(machine, peer)) && peer.frozenUntilUs <= nowUs && !peer.isAsleep
      && !this.isMute(peer) && !this.isMute(machine) && !network.looksCut(link) && !network.looksCut(back) && (this.suspectedUntilUs[link] ?? 0) <= nowUs;
    const seenLife = this.seenLife[link] ?? 0;
    const nowMs = this.stage.nowMsAt(machine);
    // A peer that restarted in between broke the connection.
    if (seenLife !== 0 && (!isReached || seenLife !== peer.life)) {
      this.seenLife[link] = 0;
      witnesses.happened('peerDowns');
      this.step(machine, { kind: 'peerDown', nowMs, peer: peer.id });
      rivals?.peerDown(machine, peer);
    }
    if (isReached && seenLife !== peer.life && peer.node !== null) {
      this.seenLife[link] = peer.life;
      const clock = core.durableClock(peer.node);
      witnesses.introduced(peer.index, clock);
      const silentForMs = rivals === null ? core.silentForMs(peer.node, this.stage.nowMsAt(peer)) : rivals.silentForMs(peer);
      const remembers = core.remembers(peer.node);
      this.step(machine, { kind: 'peerUp', nowMs, peer: peer.id, clock, silentForMs, ...(remembers ? {} : { remembers }) });
      rivals?.peerUp(machine, peer);
    }
  }

  /** A ceiling of it was written: if it was mute, it dials again. */
  maySpeak({ index }: Machine): void {
    if (!this.foundMute.delete(index)) return;
    this.lookFromAll(index);
  }

  /** It ended its connections, and neither dials nor accepts (protocol.md section 17). */
  private isMute({ node, index }: Machine): boolean {
    if (node === null || !this.stage.core.isMute(node, this.stage.nowMs(index))) return false;
    this.foundMute.add(index);
    return true;
  }
}
