/**
 * The space-time diagram: a line for each node, time downwards, an arrow for each message. Only what is
 * in view is drawn, so its cost does not grow with the length of the run.
 */
import type { RecordedFault, RecordedHold, RecordedMessage, StepRow, WriteRow } from '../recording';
import type { Geometry } from './geometry';
import { escape } from './html';
import type { Model } from './model';
import { MESSAGE_NAMES, clockText, messageText, shortClockText } from './words';

export interface Picture {
  readonly geometry: Geometry;
  readonly rowHeight: number;
  readonly columnWidth: number;
  readonly selected: number;
  /** Rows to show as causes of the selected one; null shows all alike. */
  readonly past: ReadonlySet<number> | null;
}

/** Where the line of a node is. */
export function columnX(node: number, columnWidth: number): number {
  return (node + 0.5) * columnWidth;
}

/** A message, or a copy of it, from row to row. */
interface Arrow {
  readonly message: RecordedMessage;
  readonly index: number;
  readonly from: number;
  /** -1 when it never arrived. */
  readonly to: number;
}

/** Lower rows have no room for the names of holds. */
const TAG_ROW_HEIGHT = 13;

const BUCKET = 64;
/** An arrow over more rows than this is drawn only near its ends: what is between tells nobody anything. */
const SPAN_MAX = 40 * BUCKET;

export class Diagram {
  private readonly arrows: readonly Arrow[];
  /** Which arrows cross each stretch of rows. */
  private readonly buckets: number[][] = [];
  /** Per hold: how many others of its node it lies beside. */
  private readonly lanes: readonly number[];

  constructor(private readonly model: Model) {
    this.arrows = model.recording.messages.flatMap((message, index) => arrowsOf(message, index));
    this.arrows.forEach((arrow, index) => this.file(arrow, index));
    this.lanes = lanesOf(model.recording.holds);
  }

  private file({ from, to }: Arrow, index: number): void {
    const first = Math.floor(from / BUCKET);
    const last = Math.floor((to < 0 ? from + 2 : to) / BUCKET);
    for (let bucket = first; bucket <= last; bucket++) {
      if ((last - first) * BUCKET > SPAN_MAX && bucket > first && bucket < last) continue;
      (this.buckets[bucket] ??= []).push(index);
    }
  }

  /** The markup of what lies between two heights. */
  draw(picture: Picture, topY: number, bottomY: number): string {
    const { geometry } = picture;
    const firstPlace = Math.max(0, geometry.placeAt(topY) - 2);
    const lastPlace = Math.min(geometry.shown.length - 1, geometry.placeAt(bottomY) + 2);
    const firstRow = geometry.shown[firstPlace] ?? 0;
    const lastRow = geometry.shown[lastPlace] ?? firstRow;
    return [
      this.drawLines(picture, topY, bottomY),
      this.drawFaults(picture, firstRow, lastRow),
      this.drawHolds(picture, firstRow, lastRow, (hold, index) => this.drawHold(picture, hold, index)),
      this.drawArrows(picture, firstRow, lastRow),
      picture.rowHeight < TAG_ROW_HEIGHT ? '' : this.drawHolds(picture, firstRow, lastRow, (hold, index) => this.drawTag(picture, hold, index)),
      this.drawMarks(picture, firstPlace, lastPlace),
    ].join('');
  }

  private drawLines({ columnWidth, geometry }: Picture, topY: number, bottomY: number): string {
    const bottom = Math.min(bottomY, geometry.height);
    return this.model.recording.nodes
      .map((_, node) => `<path class="line" d="M${columnX(node, columnWidth)} ${topY}V${bottom}"/>`)
      .join('');
  }

  private drawFaults(picture: Picture, firstRow: number, lastRow: number): string {
    return this.model.recording.faults
      .filter((fault) => fault.from <= lastRow && (fault.to ?? Infinity) >= firstRow)
      .flatMap((fault) => fault.nodes.map((node) => this.drawFault(picture, fault, node)))
      .join('');
  }

  private drawFault({ geometry, columnWidth, rowHeight }: Picture, fault: RecordedFault, node: number): string {
    const x = columnX(node, columnWidth);
    const top = geometry.yOf(fault.from) - rowHeight / 2;
    const bottom = fault.to === null ? geometry.height : Math.max(top + 3, geometry.yOf(fault.to) - rowHeight / 2);
    const half = Math.min(26, columnWidth / 2 - 4);
    const label = bottom - top < 30 ? '' : `<text class="fault-label" transform="translate(${x - half - 4} ${top + 4}) rotate(-90)" text-anchor="end">${FAULT_LABELS[fault.kind]}</text>`;
    return `<g class="fault ${fault.kind}"><title>${escape(fault.text)}</title>`
      + `<rect x="${x - half}" y="${top}" width="${2 * half}" height="${bottom - top}" rx="3"/>${label}</g>`;
  }

  private drawHolds({ past }: Picture, firstRow: number, lastRow: number, draw: (hold: RecordedHold, index: number) => string): string {
    const { holds, violation } = this.model.recording;
    return holds.map((hold, index) => {
      if (hold.from > lastRow || (hold.to ?? Infinity) < firstRow) return '';
      const classes = [
        'hold', hold.mode, `lock-${hold.lock % 6}`, violation?.holds.includes(index) === true ? 'clash' : '', past?.has(hold.from) === false ? 'faded' : '',
      ];
      return `<g class="${classes.join(' ')}"><title>${escape(this.holdText(hold))}</title>${draw(hold, index)}</g>`;
    }).join('');
  }

  private holdText({ node, caller, lock, mode, token }: RecordedHold): string {
    return `${this.model.nodeName(node)} caller ${caller} holds ${this.model.lockName(lock)}${mode === 'shared' ? ', shared' : ''}, token ${clockText(token)}`;
  }

  private holdX({ node }: RecordedHold, index: number, columnWidth: number): number {
    return columnX(node, columnWidth) + Math.min((this.lanes[index] ?? 0) * 12, columnWidth / 2 - 8);
  }

  private drawHold({ geometry, columnWidth }: Picture, hold: RecordedHold, index: number): string {
    const x = this.holdX(hold, index, columnWidth);
    const top = geometry.yOf(hold.from);
    const bottom = hold.to === null ? geometry.height : Math.max(top + 4, geometry.yOf(hold.to));
    const died = hold.diedAt === undefined ? bottom : Math.min(bottom, geometry.yOf(hold.diedAt));
    const outlived = died < bottom ? `<rect class="outlived" x="${x - 6}" y="${died}" width="12" height="${bottom - died}" rx="6"/>` : '';
    return `<rect class="bar" x="${x - 6}" y="${top}" width="12" height="${died - top}" rx="6"/>${outlived}`;
  }

  /** Lock and token, where the hold begins. */
  private drawTag({ geometry, columnWidth }: Picture, hold: RecordedHold, index: number): string {
    const text = `${this.model.lockName(hold.lock)} · ${shortClockText(hold.token)}`;
    const width = 10 + text.length * 6.1;
    const isLastColumn = hold.node > 0 && hold.node === this.model.recording.nodes.length - 1;
    const x = this.holdX(hold, index, columnWidth) + (isLastColumn ? -11 - width : 11);
    return `<g transform="translate(${round(x)} ${round(geometry.yOf(hold.from)) - 1})"><rect class="tag" y="-9" width="${round(width)}" height="17" rx="8.5"/>`
      + `<text class="tag-text" x="${round(width / 2)}" y="3.5">${escape(text)}</text></g>`;
  }

  // --- messages ---------------------------------------------------------------------------------

  private drawArrows(picture: Picture, firstRow: number, lastRow: number): string {
    const seen = new Set<number>();
    for (let bucket = Math.floor(firstRow / BUCKET); bucket <= Math.floor(lastRow / BUCKET); bucket++) {
      for (const index of this.buckets[bucket] ?? []) seen.add(index);
    }
    const inView = [...seen].flatMap((index) => this.arrows[index] ?? [])
      .filter(({ from, to }) => from <= lastRow && (to < 0 ? from + 2 : to) >= firstRow);
    const hasLabels = picture.rowHeight >= 18 && inView.length < 160;
    return inView.map((arrow) => this.drawArrow(picture, arrow, hasLabels)).join('');
  }

  private drawArrow(picture: Picture, arrow: Arrow, hasLabels: boolean): string {
    const { geometry, columnWidth, rowHeight, selected, past } = picture;
    const { message, from, to } = arrow;
    // A filter may hide one end: then the arrow goes to where it would be. Without both it says nothing.
    if (!geometry.isShown(from) && (to < 0 || !geometry.isShown(to))) return '';
    const isLost = to < 0 && message.dropped !== undefined;
    const isUnderWay = to < 0 && !isLost;
    const x1 = columnX(message.from, columnWidth);
    const y1 = geometry.yOf(from);
    const target = columnX(message.to, columnWidth);
    const x2 = to < 0 ? x1 + (target - x1) * 0.62 : target;
    const y2 = to < 0 ? y1 + Math.max(6, rowHeight * 0.8) : geometry.yOf(to);
    const isNear = selected === from || selected === to;
    const isFaded = past !== null && !(past.has(from) && past.has(to));
    const classes = ['arrow', message.message.kind, isNear ? 'near' : '', isFaded ? 'faded' : '', isLost ? 'lost' : isUnderWay ? 'under-way' : ''].join(' ');
    const angle = Math.atan2(y2 - y1, x2 - x1);
    const gap = isLost ? 0 : 6;
    const endX = x2 - Math.cos(angle) * gap;
    const endY = y2 - Math.sin(angle) * gap;
    const tip = isLost ? crossAt(x2, y2, Math.min(5, rowHeight / 3)) : headAt(endX, endY, angle);
    const title = `${messageText(this.model, message)}, ${this.model.nodeName(message.from)} to ${this.model.nodeName(message.to)}${to < 0 ? `: ${reasonOf(message)}` : ''}`;
    const label = (hasLabels || isNear) && !isUnderWay ? labelOf(arrow, x1, y1, x2, y2, angle, columnWidth) : '';
    return `<g class="${classes}" data-message="${arrow.index}" data-row="${to < 0 ? from : to}"><title>${escape(title)}</title>`
      + `<path class="reach" d="M${x1} ${y1}L${x2} ${y2}"/><path class="shaft" d="M${x1} ${y1}L${round(endX)} ${round(endY)}"/>${tip}${label}</g>`;
  }

  // --- events -----------------------------------------------------------------------------------

  private drawMarks(picture: Picture, firstPlace: number, lastPlace: number): string {
    const { geometry, columnWidth, rowHeight, selected, past } = picture;
    const { recording } = this.model;
    const width = recording.nodes.length * columnWidth;
    let markup = '';
    for (let place = firstPlace; place <= lastPlace; place++) {
      const index = geometry.shown[place];
      const row = index === undefined ? undefined : recording.rows[index];
      if (row === undefined || index === undefined) continue;
      const y = geometry.yOfPlace(place);
      const isFaded = past !== null && !past.has(index);
      const ring = index === selected && row.node !== null ? `<circle class="ring" cx="${columnX(row.node, columnWidth)}" cy="${y}" r="10"/>` : '';
      if (row.kind === 'note') markup += this.drawNote(row.about, row.node, y, columnWidth, width);
      else if (row.kind === 'write') markup += `<g class="mark${isFaded ? ' faded' : ''}" data-row="${index}">${drawWrite(row, columnX(row.node, columnWidth), y, rowHeight)}</g>`;
      else markup += `<g class="mark${isFaded ? ' faded' : ''}" data-row="${index}">${this.drawStep(row, columnX(row.node, columnWidth), y, rowHeight)}</g>`;
      markup += ring;
      if (recording.violation?.row === index) markup += `<path class="violation-line" d="M0 ${y}H${width}"/>`;
    }
    return markup;
  }

  private drawNote(about: string, node: number | null, y: number, columnWidth: number, width: number): string {
    if (node === null) return `<path class="phase-line ${about}" d="M0 ${y}H${width}"/>`;
    const x = columnX(node, columnWidth);
    return about === 'death'
      ? `<path class="death halo" d="M${x - 7} ${y - 7}l14 14m0-14l-14 14"/><path class="death" d="M${x - 7} ${y - 7}l14 14m0-14l-14 14"/>`
      : `<path class="bolt" d="M${x} ${y - 8}l7 8l-7 8l-7-8z"/>`;
  }

  private drawStep(step: StepRow, x: number, y: number, rowHeight: number): string {
    const size = Math.max(0.45, Math.min(1, rowHeight / 20));
    const { event } = step;
    switch (event.kind) {
      case 'message': {
        const kind = this.model.message(event.message)?.message.kind ?? 'request';
        const r = 4.2 * size;
        return this.model.isIgnored(step) === null
          ? `<circle class="dot ${kind}" cx="${x}" cy="${y}" r="${r}"/>`
          : `<circle class="dot ignored ${kind}" cx="${x}" cy="${y}" r="${r + 0.6}"/><path class="slash ${kind}" d="M${x - r} ${y + r}L${x + r} ${y - r}"/>`;
      }
      case 'acquire':
        return `<path class="caller" d="M${x - 5 * size} ${y - 6 * size}L${x + 6 * size} ${y}L${x - 5 * size} ${y + 6 * size}z"/>`;
      case 'release':
        return `<rect class="caller" x="${x - 4.5 * size}" y="${y - 4.5 * size}" width="${9 * size}" height="${9 * size}" rx="1.5"/>`;
      case 'start':
        return `<circle class="birth" cx="${x}" cy="${y}" r="${6 * size}"/><circle class="birth-core" cx="${x}" cy="${y}" r="${2.4 * size}"/>`;
      case 'stop':
        return `<rect class="birth" x="${x - 5 * size}" y="${y - 5 * size}" width="${10 * size}" height="${10 * size}"/>`;
      case 'peerUp':
        return `<path class="peer" d="M${x - 4 * size} ${y + 3 * size}L${x} ${y - 3 * size}L${x + 4 * size} ${y + 3 * size}"/>`;
      case 'peerDown':
        return `<path class="peer" d="M${x - 4 * size} ${y - 3 * size}L${x} ${y + 3 * size}L${x + 4 * size} ${y - 3 * size}"/>`;
      case 'wake':
      case 'ceilingReserved':
      case 'slept':
      case 'silence':
      case 'namesake':
        return `<circle class="quiet" cx="${x}" cy="${y}" r="${2.4 * size}"/>`;
    }
  }
}

/** What a holder writes leaves it: a pen's nib, struck out when it comes too late. */
function drawWrite({ lock, isAccepted }: WriteRow, x: number, y: number, rowHeight: number): string {
  const s = round(4.5 * Math.max(0.45, Math.min(1, rowHeight / 20)));
  const nib = `<path class="write lock-${lock % 6}${isAccepted ? '' : ' refused'}" d="M${x - s} ${y - s}H${x + s}L${x} ${y + 1.2 * s}z"/>`;
  return isAccepted ? nib : `${nib}<path class="death" d="M${x - s} ${y + s}L${x + s} ${y - s}"/>`;
}

const FAULT_LABELS: Readonly<Record<RecordedFault['kind'], string>> = {
  down: 'down', cut: 'cut off', clog: 'clogged', pause: 'paused', sleep: 'asleep', full: 'disk full', slow: 'slow', suspect: 'suspects',
};

function arrowsOf(message: RecordedMessage, index: number): Arrow[] {
  if (message.sentAt < 0) return [];
  const arrived = message.receivedAt.map((to) => ({ message, index, from: message.sentAt, to }));
  return arrived.length === 0 ? [{ message, index, from: message.sentAt, to: -1 }] : arrived;
}

function reasonOf(message: RecordedMessage): string {
  return message.dropped?.[0] ?? 'still under way';
}

/** Along the arrow where it is flat enough to be read, else beside it. */
function labelOf({ message, to }: Arrow, x1: number, y1: number, x2: number, y2: number, angle: number, columnWidth: number): string {
  if (columnWidth < 80) return '';
  const text = to < 0 ? `${MESSAGE_NAMES[message.message.kind]}: ${reasonOf(message)}` : MESSAGE_NAMES[message.message.kind];
  const degrees = (angle * 180) / Math.PI;
  const upright = degrees > 90 ? degrees - 180 : degrees < -90 ? degrees + 180 : degrees;
  if (Math.abs(upright) > 60) return '';
  // Near its end: several arrows may leave one event, but each arrives at one of its own.
  const reach = 1 - Math.min(1, (columnWidth * 0.5) / Math.max(1, Math.abs(x2 - x1)));
  const x = x1 + (x2 - x1) * reach;
  const y = y1 + (y2 - y1) * reach;
  return `<text class="label" transform="translate(${round(x)} ${round(y)}) rotate(${round(upright)})" y="-4">${escape(text)}</text>`;
}

function headAt(x: number, y: number, angle: number): string {
  const at = (turn: number): string => `${round(x - Math.cos(angle + turn) * 8)} ${round(y - Math.sin(angle + turn) * 8)}`;
  return `<path class="head" d="M${round(x)} ${round(y)}L${at(0.42)}L${at(-0.42)}z"/>`;
}

function crossAt(x: number, y: number, size: number): string {
  const [s, d] = [round(size), round(2 * size)];
  return `<path class="cross" d="M${round(x - s)} ${round(y - s)}l${d} ${d}m0-${d}l-${d} ${d}"/>`;
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}

/** Holds of one node at one time lie beside each other. */
function lanesOf(holds: readonly RecordedHold[]): number[] {
  const ends = new Map<number, number[]>();
  return holds.map((hold) => {
    const taken = ends.get(hold.node) ?? [];
    ends.set(hold.node, taken);
    const free = taken.findIndex((end) => end <= hold.from);
    const lane = free < 0 ? taken.length : free;
    taken[lane] = hold.to ?? Infinity;
    return lane;
  });
}
