/** The rows of text beside the diagram, as markup: those in view and no others. */
import type { Row } from '../recording';
import type { Geometry } from './geometry';
import { escape } from './html';
import type { Model } from './model';
import { effectText, eventText, rowText, shortClockText, timeText } from './words';

/** Lower rows have no room for text. */
const ROW_HEIGHT_TEXT = 13;

export interface RowsView {
  readonly geometry: Geometry;
  readonly selected: number;
  readonly matches: ReadonlySet<number>;
  /** The rows that had a part in the selected one, when they are shown. */
  readonly past: ReadonlySet<number> | null;
}

export function drawRows(model: Model, view: RowsView, top: number, bottom: number): string {
  const { geometry, selected } = view;
  const markup: string[] = [];
  let textFreeFrom = -Infinity;
  for (let place = geometry.placeAt(top); place < geometry.shown.length && geometry.yOfPlace(place) <= bottom; place++) {
    const index = geometry.shown[place];
    const row = index === undefined ? undefined : model.row(index);
    if (index === undefined || row === undefined) continue;
    const y = geometry.yOfPlace(place);
    // Where rows are dense, only as many have text as there is room for.
    const hasRoom = y >= textFreeFrom || index === selected;
    if (hasRoom) textFreeFrom = y + ROW_HEIGHT_TEXT;
    markup.push(drawRow(model, view, row, index, place, y, hasRoom));
  }
  return markup.join('');
}

function drawRow(model: Model, { geometry, selected, matches, past }: RowsView, row: Row, index: number, place: number, y: number, hasText: boolean): string {
  const isSelected = index === selected;
  const classes = [
    'row', row.kind, row.kind === 'note' ? row.about : model.classOf(row), isSelected ? 'selected' : '',
    matches.has(index) ? 'match' : '', past !== null && !past.has(index) ? 'faded' : '',
    model.recording.violation?.row === index ? 'violation' : '', row.kind === 'step' && model.isIgnored(row) !== null ? 'ignored' : '',
  ].filter((each) => each !== '').join(' ');
  const node = row.node === null ? '' : `<span class="node node-${row.node % 8}">${escape(model.nodeName(row.node))}</span>`;
  const clock = row.kind === 'step' && row.clock > 0 ? shortClockText(row.clock) : '';
  const time = timeText(row.atUs);
  const before = model.row(geometry.shown[place - 1] ?? -1);
  const isSameTime = !isSelected && before !== undefined && timeText(before.atUs) === time;
  const whole = row.kind === 'step' ? [eventText(model, row), ...row.effects.map((effect) => effectText(model, effect, row))].join('\n') : rowText(model, row);
  const text = hasText ? `<span class="time">${isSameTime ? '' : time}</span><span class="clock">${clock}</span>${node}<span class="text" title="${escape(whole)}">${rowMarkup(model, row)}</span>` : '';
  return `<div class="${classes}" id="row-${index}" data-row="${index}" role="option" aria-selected="${isSelected}" aria-setsize="${geometry.shown.length}" `
    + `aria-posinset="${place + 1}" style="top:${y}px">${text}</div>`;
}

function rowMarkup(model: Model, row: Row): string {
  if (row.kind === 'note') return `<b>${escape(row.text)}</b>`;
  if (row.kind === 'write') return `<span class="what${row.isAccepted ? '' : ' refused'}">${escape(rowText(model, row))}</span>`;
  const kind = model.classOf(row);
  const outcome = row.effects.flatMap((effect) => {
    switch (effect.kind) {
      case 'entered':
        return [`<strong class="entered">enters ${escape(model.lockName(effect.lock ?? 0))} · ${shortClockText(effect.token ?? 0)}</strong>`];
      case 'lost':
        return [`<strong class="lost">${effect.thief === undefined ? 'loses it' : `is robbed of it by ${escape(effect.thief.node)}`}</strong>`];
      case 'recalled':
        return [`<strong class="lost">is to give it back${effect.thief === undefined ? '' : ` to ${escape(effect.thief.node)}`}</strong>`];
      case 'ignored':
        return [`<em>ignored: ${escape(effect.reason ?? '')}</em>`];
      default:
        return [];
    }
  });
  return `<span class="what ${kind}">${escape(eventText(model, row))}</span>${outcome.length === 0 ? '' : ` → ${outcome.join(', ')}`}`;
}
