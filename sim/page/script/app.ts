/** The page: what is selected, shown and searched for, and everything that the mouse and the keys do to it. */
import type { Recording, Row } from '../recording';
import { Diagram, columnX } from './diagram';
import { Geometry, ROW_HEIGHT_MAX, ROW_HEIGHT_MIN } from './geometry';
import type { Axis } from './geometry';
import { writeFilters, writeHeader } from './header';
import { escape, find } from './html';
import { inspect } from './inspector';
import { Minimap } from './minimap';
import { Model } from './model';
import { drawRows } from './rows';
import { Texts } from './texts';
import { effectText, rowText, shortClockText } from './words';

const GUTTER = 84;
const TEXT_WIDTH_MIN = 460;
const COLUMN_WIDTH_MIN = 30;
/** Narrower columns have smaller heads. */
const COLUMN_WIDTH_NARROW = 56;
const COLUMN_WIDTH_MAX = 165;
/** So far above and below what is in view the page draws, so that scrolling shows no gaps. */
const OVERSCAN = 240;
const ROW_HEIGHT = 24;

class App {
  private readonly model: Model;
  private readonly diagram: Diagram;
  private readonly minimap: Minimap;
  private geometry: Geometry;
  private readonly stage = find('#stage', HTMLElement);
  private readonly canvas = find('#canvas', HTMLElement);
  private readonly drawing = find('#drawing', SVGSVGElement);
  private readonly rows = find('#rows', HTMLElement);
  private readonly heads = find('#heads', HTMLElement);
  private readonly inspector = find('#inspector', HTMLElement);
  private readonly search = find('#search', HTMLInputElement);
  private readonly found = find('#found', HTMLElement);
  private readonly announcer = find('#announcer', HTMLElement);
  private readonly help = find('#help', HTMLDialogElement);

  private selected = -1;
  private axis: Axis = 'order';
  private rowHeight = ROW_HEIGHT;
  private columnWidth = COLUMN_WIDTH_MAX;
  private readonly hidden = new Set<string>();
  private matches: ReadonlySet<number> = new Set();
  private showsPast = false;
  private isDrawPending = false;
  private readonly clockDigits: number;
  private readonly texts: Texts;

  constructor(private readonly recording: Recording) {
    this.model = new Model(recording);
    this.diagram = new Diagram(this.model);
    this.texts = new Texts(this.model);
    this.minimap = new Minimap(this.model, find('#minimap canvas', HTMLCanvasElement), find('#minimap .window', HTMLElement));
    this.geometry = this.layOut();
    this.clockDigits = recording.rows.reduce((most, row) => Math.max(most, row.kind === 'step' ? shortClockText(row.clock).length : 0), 0);
  }

  start(): void {
    writeHeader(this.model);
    writeFilters(this.model);
    this.listen();
    this.readAddress();
    this.relayout();
    if (this.selected < 0) this.select(this.recording.violation?.row ?? this.geometry.shown[0] ?? 0, this.recording.violation === null ? 'start' : 'center');
    else this.select(this.selected, 'center');
  }

  // --- layout -------------------------------------------------------------------------------------

  private isShown(row: Row): boolean {
    const { hidden, model } = this;
    if (hidden.size === 0) return true;
    if (row.node !== null && hidden.has(`node ${row.node}`)) return false;
    if (hidden.has(`class ${model.classOf(row)}`)) return false;
    const locks = model.locksOf(row);
    return locks.length === 0 || locks.some((lock) => !hidden.has(`lock ${lock}`));
  }

  private layOut(): Geometry {
    const { rows } = this.recording;
    return new Geometry(this.model, (index) => {
      const row = rows[index];
      return row !== undefined && this.isShown(row);
    }, this.axis, this.rowHeight);
  }

  /** After anything that moves rows. */
  private relayout(): void {
    const { nodes } = this.recording;
    this.geometry = this.layOut();
    const free = this.stage.clientWidth - GUTTER - TEXT_WIDTH_MIN;
    this.columnWidth = Math.max(COLUMN_WIDTH_MIN, Math.min(COLUMN_WIDTH_MAX, free / nodes.length));
    const width = GUTTER + nodes.length * this.columnWidth;
    this.stage.style.setProperty('--gutter', `${GUTTER}px`);
    this.stage.style.setProperty('--lines', `${nodes.length * this.columnWidth}px`);
    this.stage.style.setProperty('--clock', `${Math.max(66, 26 + 7.2 * this.clockDigits)}px`);
    this.canvas.style.setProperty('--row', `${this.rowHeight}px`);
    this.canvas.style.setProperty('--font', `${Math.min(13, Math.max(9, this.rowHeight * 0.62))}px`);
    this.canvas.style.minWidth = `${width + TEXT_WIDTH_MIN}px`;
    this.canvas.style.height = `${this.geometry.height}px`;
    this.heads.classList.toggle('narrow', this.columnWidth < COLUMN_WIDTH_NARROW);
    const time = this.recording.time === 'true' ? 'true time' : 'wall clock';
    this.heads.innerHTML = `<span class="column time">${time}</span>`
      + nodes.map((id, node) => `<span class="node node-${node % 8}" style="left:${GUTTER + columnX(node, this.columnWidth)}px">${escape(id)}</span>`).join('')
      + `<span class="column clock" style="left:${width}px" title="The node's Lamport clock after the event">Lamport</span>`;
    this.minimap.draw(this.geometry, this.matches);
    this.draw();
  }

  private draw(): void {
    const { stage, geometry } = this;
    const head = this.heads.offsetHeight;
    const top = Math.max(0, stage.scrollTop - head - OVERSCAN);
    const bottom = Math.min(geometry.height, stage.scrollTop + stage.clientHeight + OVERSCAN);
    this.drawing.style.top = `${top}px`;
    this.drawing.style.height = `${bottom - top}px`;
    this.drawing.setAttribute('viewBox', `0 ${top} ${this.recording.nodes.length * this.columnWidth} ${bottom - top}`);
    const past = this.showsPast && this.selected >= 0 ? this.model.pastOf(this.selected) : null;
    this.drawing.innerHTML = this.diagram.draw(
      { geometry, rowHeight: this.rowHeight, columnWidth: this.columnWidth, selected: this.selected, past }, top, bottom,
    );
    this.rows.innerHTML = drawRows(this.model, { geometry, selected: this.selected, matches: this.matches, past }, top, bottom);
    this.rows.setAttribute('aria-activedescendant', this.selected < 0 ? '' : `row-${this.selected}`);
    this.minimap.showWindow(stage.scrollTop, stage.clientHeight, stage.scrollHeight);
  }

  private drawSoon(): void {
    if (this.isDrawPending) return;
    this.isDrawPending = true;
    requestAnimationFrame(() => {
      this.isDrawPending = false;
      this.draw();
    });
  }

  // --- selection ----------------------------------------------------------------------------------

  private select(index: number, block: 'nearest' | 'center' | 'start' = 'nearest'): void {
    const row = this.model.row(index);
    if (row === undefined) return;
    this.selected = index;
    this.inspector.innerHTML = inspect(this.model, index);
    this.inspector.scrollTop = 0;
    const name = row.node === null ? '' : `${this.model.nodeName(row.node)} `;
    const effects = row.kind === 'step' ? row.effects.map((effect) => effectText(this.model, effect, row)).join('; ') : '';
    this.announcer.textContent = `${name}${rowText(this.model, row)}. ${effects}`;
    this.scrollTo(index, block);
    this.draw();
    this.writeAddress();
  }

  private scrollTo(index: number, block: 'nearest' | 'center' | 'start'): void {
    const { stage } = this;
    const y = this.geometry.yOf(index);
    const head = this.heads.offsetHeight;
    const card = this.recording.violation?.row === index ? find('#verdict-card', HTMLElement).offsetHeight + 40 : 0;
    const margin = 3 * Math.min(this.rowHeight, 24);
    if (block === 'start') stage.scrollTop = y - margin - head;
    else if (block === 'center') stage.scrollTop = y - stage.clientHeight / 2 + card / 2;
    else if (y - margin < stage.scrollTop) stage.scrollTop = y - margin;
    else if (y + margin + head > stage.scrollTop + stage.clientHeight) stage.scrollTop = y + margin + head - stage.clientHeight;
  }

  private step(by: number): void {
    const { geometry } = this;
    const place = geometry.placeOf(this.selected) + (by > 0 && !geometry.isShown(this.selected) ? by - 1 : by);
    const index = geometry.shown[Math.max(0, Math.min(geometry.shown.length - 1, place))];
    if (index !== undefined) this.select(index);
  }

  private go(index: number): void {
    if (index >= 0) this.select(index, 'nearest');
  }

  // --- filter, search, zoom -----------------------------------------------------------------------

  private toggleFilter(chip: HTMLElement, alone: boolean): void {
    const key = chip.dataset['filter'] ?? '';
    const [group] = key.split(' ');
    const chips = [...document.querySelectorAll<HTMLElement>(`[data-filter^="${group} "]`)];
    if (alone) {
      const isAlone = chips.every((each) => this.hidden.has(each.dataset['filter'] ?? '') === (each !== chip));
      for (const each of chips) this.setHidden(each, !isAlone && each !== chip);
    } else {
      this.setHidden(chip, !this.hidden.has(key));
    }
    this.keepInView(() => this.relayout());
  }

  private setHidden(chip: HTMLElement, isHidden: boolean): void {
    const key = chip.dataset['filter'] ?? '';
    if (isHidden) this.hidden.add(key);
    else this.hidden.delete(key);
    chip.setAttribute('aria-pressed', String(!isHidden));
  }

  private runSearch(): void {
    this.matches = this.texts.find(this.search.value);
    this.minimap.draw(this.geometry, this.matches);
    this.showFound();
    this.draw();
  }

  private showFound(): void {
    const all = this.shownMatches();
    const place = all.indexOf(this.selected);
    this.found.textContent = this.search.value.trim() === '' ? '' : place >= 0 ? `${place + 1} of ${all.length}` : `${all.length} found`;
  }

  private shownMatches(): number[] {
    return [...this.matches].filter((row) => this.geometry.isShown(row));
  }

  private nextMatch(by: 1 | -1): void {
    const all = this.shownMatches();
    const next = by > 0 ? (all.find((row) => row > this.selected) ?? all[0]) : (all.findLast((row) => row < this.selected) ?? all.at(-1));
    if (next !== undefined) this.select(next, 'center');
    this.showFound();
  }

  private zoom(factor: number): void {
    this.rowHeight = Math.max(ROW_HEIGHT_MIN, Math.min(ROW_HEIGHT_MAX, this.rowHeight * factor));
    if (Math.abs(this.rowHeight - ROW_HEIGHT) < 1) this.rowHeight = ROW_HEIGHT;
    this.keepInView(() => this.relayout());
  }

  private setAxis(axis: Axis): void {
    this.axis = axis;
    for (const each of ['order', 'time']) find(`[data-axis="${each}"]`, HTMLElement).setAttribute('aria-pressed', String(each === axis));
    this.keepInView(() => this.relayout());
    this.writeAddress();
  }

  private togglePast(): void {
    this.showsPast = !this.showsPast;
    find('#past', HTMLElement).setAttribute('aria-pressed', String(this.showsPast));
    this.draw();
  }

  /** What is selected, or else the middle of the view, stays where it is on the screen. */
  private keepInView(change: () => void): void {
    const { stage } = this;
    const middle = stage.scrollTop + stage.clientHeight / 2;
    const y = this.geometry.yOf(this.selected);
    const isInView = this.selected >= 0 && y >= stage.scrollTop && y <= stage.scrollTop + stage.clientHeight;
    const anchor = isInView ? this.selected : this.geometry.nearest(middle);
    const offset = this.geometry.yOf(anchor) - stage.scrollTop;
    change();
    stage.scrollTop = this.geometry.yOf(anchor) - offset;
    this.draw();
  }

  // --- address ------------------------------------------------------------------------------------

  /** The address names what is shown, so that it can be passed on. */
  private writeAddress(): void {
    const parts = new URLSearchParams({ event: String(this.selected + 1), ...(this.axis === 'time' ? { axis: 'time' } : {}) });
    history.replaceState(null, '', `#${parts.toString()}`);
  }

  private readAddress(): void {
    const parts = new URLSearchParams(location.hash.slice(1));
    const event = Number(parts.get('event') ?? 0);
    if (event >= 1 && event <= this.recording.rows.length) this.selected = event - 1;
    const row = Number(parts.get('zoom') ?? 0);
    if (row >= ROW_HEIGHT_MIN && row <= ROW_HEIGHT_MAX) this.rowHeight = row;
    if (parts.get('axis') === 'time') this.setAxis('time');
    if (parts.get('past') === 'yes') this.togglePast();
  }

  // --- mouse and keys -----------------------------------------------------------------------------

  private listen(): void {
    this.stage.addEventListener('scroll', () => this.drawSoon(), { passive: true });
    new ResizeObserver(() => this.relayout()).observe(this.stage);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.relayout());
    document.addEventListener('click', (event) => this.onClick(event));
    document.addEventListener('keydown', (event) => this.onKey(event));
    this.search.addEventListener('input', () => this.runSearch());
    this.stage.addEventListener('wheel', (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 300));
    }, { passive: false });
    this.listenToMinimap();
  }

  private listenToMinimap(): void {
    const strip = find('#minimap', HTMLElement);
    const jump = (event: PointerEvent): void => {
      const { top, height } = strip.getBoundingClientRect();
      const part = (event.clientY - top) / height;
      this.stage.scrollTop = part * this.stage.scrollHeight - this.stage.clientHeight / 2;
    };
    strip.addEventListener('pointerdown', (event) => {
      strip.setPointerCapture(event.pointerId);
      jump(event);
    });
    strip.addEventListener('pointermove', (event) => {
      if (strip.hasPointerCapture(event.pointerId)) jump(event);
    });
  }

  private onClick(event: MouseEvent): void {
    const target = event.target instanceof Element ? event.target : null;
    const button = target?.closest<HTMLElement>('[data-go], [data-filter], [data-axis], [data-do], [data-row]');
    if (button === null || button === undefined) return;
    const { go, filter, axis, do: act, row } = button.dataset;
    if (go !== undefined) this.select(Number(go), 'center');
    else if (filter !== undefined) this.toggleFilter(button, event.altKey || event.shiftKey || event.detail === 2);
    else if (axis === 'order' || axis === 'time') this.setAxis(axis);
    else if (act !== undefined) this.act(act);
    else if (row !== undefined) this.select(Number(row));
  }

  private act(act: string): void {
    switch (act) {
      case 'zoom-in':
        return this.zoom(1.25);
      case 'zoom-out':
        return this.zoom(0.8);
      case 'fit':
        this.rowHeight = Math.max(ROW_HEIGHT_MIN, Math.min(ROW_HEIGHT, (this.stage.clientHeight - 90) / Math.max(1, this.geometry.shown.length)));
        return this.keepInView(() => this.relayout());
      case 'past':
        return this.togglePast();
      case 'help':
        return this.help.open ? this.help.close() : this.help.showModal();
      case 'next':
        return this.nextMatch(1);
      case 'previous':
        return this.nextMatch(-1);
    }
  }

  private onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || this.help.open) return;
    if (event.target === this.search) {
      if (event.key === 'Enter') this.nextMatch(event.shiftKey ? -1 : 1);
      else if (event.key === 'Escape') this.leaveSearch();
      else return;
      event.preventDefault();
      return;
    }
    const isOnButton = event.target instanceof HTMLButtonElement && (event.key === 'Enter' || event.key === ' ');
    if (!isOnButton && this.onCommand(event.key)) event.preventDefault();
  }

  private leaveSearch(): void {
    this.search.value = '';
    this.runSearch();
    this.rows.focus({ preventScroll: true });
  }

  /** Whether the key meant something. */
  private onCommand(key: string): boolean {
    const page = Math.max(1, Math.floor(this.stage.clientHeight / this.rowHeight) - 4);
    const commands: Readonly<Record<string, () => void>> = {
      'ArrowDown': () => this.step(1),
      'j': () => this.step(1),
      'ArrowUp': () => this.step(-1),
      'k': () => this.step(-1),
      'PageDown': () => this.step(page),
      'PageUp': () => this.step(-page),
      'Home': () => this.step(-Infinity),
      'End': () => this.step(Infinity),
      'ArrowLeft': () => this.go(this.model.neighbour(this.selected, -1)),
      'h': () => this.go(this.model.neighbour(this.selected, -1)),
      'ArrowRight': () => this.go(this.model.neighbour(this.selected, 1)),
      'l': () => this.go(this.model.neighbour(this.selected, 1)),
      '[': () => this.go(this.model.senderOf(this.selected)),
      ']': () => this.go(this.model.receiverOf(this.selected)),
      'v': () => this.go(this.recording.violation?.row ?? -1),
      'n': () => this.nextMatch(1),
      'N': () => this.nextMatch(-1),
      '/': () => this.search.select(),
      '+': () => this.zoom(1.25),
      '=': () => this.zoom(1.25),
      '-': () => this.zoom(0.8),
      'f': () => this.act('fit'),
      't': () => this.setAxis(this.axis === 'order' ? 'time' : 'order'),
      'c': () => this.togglePast(),
      '?': () => this.act('help'),
    };
    const command = commands[key];
    command?.();
    return command !== undefined;
  }
}

const data = find('#recording', HTMLScriptElement).textContent;
new App(JSON.parse(data) as Recording).start();
