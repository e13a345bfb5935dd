/** The whole run at a glance: holds, faults and events in a narrow strip, and a window on what is in view. */
import type { Geometry } from './geometry';
import type { Model } from './model';

export class Minimap {
  private readonly context: CanvasRenderingContext2D;

  constructor(
    private readonly model: Model,
    private readonly canvas: HTMLCanvasElement,
    private readonly viewport: HTMLElement,
  ) {
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('this browser draws on no canvas');
    this.context = context;
  }

  /** Once for each layout; scrolling only moves the window. */
  draw(geometry: Geometry, matches: ReadonlySet<number>): void {
    const { canvas, context } = this;
    const { width, height } = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.scale(ratio, ratio);
    context.clearRect(0, 0, width, height);
    const color = (name: string): string => this.colorOf(name);
    const { recording } = this.model;
    const column = width / recording.nodes.length;
    const scale = height / Math.max(geometry.height, height);
    const y = (row: number | null): number => (row === null ? geometry.height : geometry.yOf(row)) * scale;

    for (const fault of recording.faults) {
      context.fillStyle = color(fault.kind === 'down' ? '--down' : '--fault');
      context.globalAlpha = 0.35;
      for (const node of fault.nodes) context.fillRect(node * column + 1, y(fault.from), column - 2, Math.max(1, y(fault.to) - y(fault.from)));
    }
    context.globalAlpha = 0.8;
    context.fillStyle = color('--muted');
    for (const index of geometry.shown) {
      const row = recording.rows[index];
      if (row?.kind === 'step') context.fillRect((row.node + 0.5) * column - 0.75, y(index), 1.5, 1);
    }
    context.globalAlpha = 1;
    for (const hold of recording.holds) {
      context.fillStyle = color(`--lock-${hold.lock % 6}`);
      const top = y(hold.from);
      context.fillRect((hold.node + 0.5) * column - 2, top, 4, Math.max(1.5, y(hold.to) - top));
    }
    context.fillStyle = color('--match');
    for (const row of matches) if (geometry.isShown(row)) context.fillRect(0, y(row) - 0.5, width, 1.5);
    if (recording.violation !== null) {
      context.fillStyle = color('--bad');
      context.fillRect(0, y(recording.violation.row) - 1, width, 2.5);
    }
  }

  /** A canvas knows nothing of the page's colours by name; an element that has one does. */
  private colorOf(name: string): string {
    this.viewport.style.color = `var(${name})`;
    const { color } = getComputedStyle(this.viewport);
    this.viewport.style.color = '';
    return color;
  }

  showWindow(scrollTop: number, clientHeight: number, scrollHeight: number): void {
    const { height } = this.canvas.getBoundingClientRect();
    const whole = Math.max(scrollHeight, clientHeight, height);
    this.viewport.style.top = `${(scrollTop / whole) * height}px`;
    this.viewport.style.height = `${Math.max(14, (clientHeight / whole) * height)}px`;
  }
}
