/**
 * Wakes the machine of a session at the time that it wishes: on the client's side and on the node's.
 * Law: what arrived while this process was busy is heard before anybody is missed for it, and timers come before what can be read.
 */
export class WakeTimer {
  private atMs = Infinity;
  private timer: NodeJS.Timeout | undefined;
  private waking: NodeJS.Immediate | undefined;

  /** @param keepsProcess whether the process goes on until then */
  constructor(
    private readonly nowMs: () => number,
    private readonly wake: (nowMs: number) => void,
    private readonly keepsProcess: boolean,
  ) {}

  /** At this time, or sooner if that was wished before. */
  set(atMs: number): void {
    if (atMs >= this.atMs) return;
    clearTimeout(this.timer);
    this.atMs = atMs;
    this.timer = setTimeout(() => {
      this.atMs = Infinity;
      clearImmediate(this.waking);
      this.waking = setImmediate(() => this.wake(this.nowMs()));
    }, Math.max(0, Math.ceil(atMs - this.nowMs())));
    if (!this.keepsProcess) this.timer.unref();
  }

  stop(): void {
    clearTimeout(this.timer);
    clearImmediate(this.waking);
    this.atMs = Infinity;
  }
}
