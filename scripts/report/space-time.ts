/**
 * A space-time picture of one lock, as SVG: a line for each node, time runs down, an arrow for each message between nodes, a bar
 * where a caller is inside. Rows are events in the order of the log, so what lies below came later; their distance is no time.
 */
import type { Message, NodeId } from '../../src/core';
import type { Log, Run } from './logs';
import type { Sent, Story } from './story';

export interface Scene {
  readonly log: Log;
  readonly story: Story;
  /** The steps of the story that are shown: from the first to before the second. */
  readonly from: number;
  readonly to: number;
  /** Taken off all Lamport times. */
  readonly base: number;
  readonly killed?: Run['killed'];
}

const ROW = 14;
const TOP = 30;
const TIME_WIDTH = 40;
const COLUMN = 112;
/** About how wide a letter is. */
const LETTER = 3.9;
const SIZE = 8.5;
const COLORS: Readonly<Record<Message['kind'], string>> = { request: '#1f5fa8', grant: '#1a7f3c', release: '#666666', inquire: '#b35c00', yield: '#b3202c' };

interface Row {
  readonly node: NodeId;
  readonly atMs: number;
  /** The step of the story; null for the kill, and for the start of another life. */
  readonly step: number | null;
  readonly text: string;
  readonly isDeath: boolean;
}

export function drawSpaceTime(scene: Scene): string {
  const { log, story, base } = scene;
  const messages = shownMessages(scene);
  const rows = rowsOf(scene, messages);
  const lefts = sidesOf(rows, messages, log);
  const roomFor = (node: NodeId | undefined, isLeft: boolean): number => (
    20 + LETTER * Math.max(6, ...rows.flatMap((row, index) => (row.node === node && lefts[index] === isLeft ? [row.text.length] : [])))
  );
  const left = TIME_WIDTH + roomFor(log.nodes[0], true);
  const xOf = (node: NodeId): number => left + log.nodes.indexOf(node) * COLUMN;
  const yOfRow = (index: number): number => TOP + 12 + index * ROW;
  const yOf = (step: number | null): number | null => {
    const index = step === null ? -1 : rows.findIndex((row) => row.step === step);
    return index < 0 ? null : yOfRow(index);
  };
  const bottom = yOfRow(rows.length) + (messages.some(({ receivedAt }) => yOf(receivedAt) === null) ? ROW : 0);
  const height = bottom + 8;
  const width = left + (log.nodes.length - 1) * COLUMN + roomFor(log.nodes.at(-1), false);
  const parts: string[] = [];

  for (const node of log.nodes) {
    const x = xOf(node);
    parts.push(text(x, 14, node, { anchor: 'middle', size: 11, weight: 'bold' }));
    for (const [start, end] of livesOf(rows, node)) {
      parts.push(line(x, start === null ? TOP - 8 : yOfRow(start), x, end === null ? bottom : yOfRow(end), '#999999', 1));
    }
  }
  for (const { node, enteredAt, leftAt } of story.entries) {
    const start = yOf(enteredAt);
    if (start === null) continue;
    const death = rows.findIndex((row) => row.isDeath && row.node === node);
    const end = yOf(leftAt) ?? (leftAt === null && death >= 0 ? yOfRow(death) : bottom);
    parts.push(`<rect x="${xOf(node) - 4}" y="${start}" width="8" height="${end - start}" fill="#f2c14e" stroke="#8a6500" stroke-width="0.7"/>`);
  }
  // Arrows first, so that what they cross stays readable.
  const labels: string[] = [];
  for (const { message, from, to, sentAt, receivedAt } of messages) {
    const [x1, y1, x2] = [xOf(from), yOf(sentAt) ?? TOP, xOf(to)];
    const color = COLORS[message.kind];
    const y2 = yOf(receivedAt);
    const side = x2 > x1 ? 1 : -1;
    if (y2 === null) {
      // It never came, or comes below the picture.
      const columns = Math.abs(log.nodes.indexOf(to) - log.nodes.indexOf(from));
      const [x, y] = [x1 + side * (10 + 56 * columns), y1 + ROW * 0.9];
      parts.push(line(x1, y1, x, y, color, 0.9, '3 2'), text(x + side * 5, y + 3, '×', { anchor: 'middle', size: 10, color }));
      labels.push(text(x, y + 11, messageLabel(message, base), { anchor: 'middle', size: SIZE, color }));
      continue;
    }
    parts.push(arrow(x1, y1, x2 - side * 4, y2, color));
    labels.push(text(x2 - side * 12, y2 + 8, messageLabel(message, base), { anchor: side > 0 ? 'end' : 'start', size: SIZE, color }));
  }
  parts.push(...labels);
  const [first] = rows;
  rows.forEach((row, index) => {
    const x = xOf(row.node);
    const y = yOfRow(index);
    parts.push(text(4, y + 3, `${row.atMs - (first?.atMs ?? 0)} ms`, { anchor: 'start', size: 7.5, color: '#777777' }));
    if (row.isDeath) parts.push(text(x, y + 5, '✕', { anchor: 'middle', size: 13, color: '#b3202c' }));
    else parts.push(`<circle cx="${x}" cy="${y}" r="2.2" fill="#222222"/>`);
    const isLeft = lefts[index] ?? false;
    parts.push(text(isLeft ? x - 8 : x + 8, y - 2, row.text, { anchor: isLeft ? 'end' : 'start', size: SIZE }));
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="Libertinus Serif">${parts.join('')}</svg>`;
}

/**
 * Whether the words of a row stand to the left of its node: on the other side than the arrow that comes in, and where none does, on
 * the side of the row before.
 */
function sidesOf(rows: readonly Row[], messages: readonly Sent[], log: Log): boolean[] {
  const last = new Map<NodeId, boolean>();
  return rows.map(({ node, step }) => {
    const incoming = messages.find(({ receivedAt }) => receivedAt !== null && receivedAt === step);
    const isLeft = incoming === undefined ? (last.get(node) ?? false) : log.nodes.indexOf(incoming.from) > log.nodes.indexOf(node);
    last.set(node, isLeft);
    return isLeft;
  });
}

/** Repeats of a message that was sent before tell nothing new. */
function shownMessages({ story: { messages }, from, to }: Scene): Sent[] {
  const seen = new Set<string>();
  return messages.filter(({ message, from: sender, to: receiver, sentAt }) => {
    if (sentAt < from || sentAt >= to) return false;
    const contender = message.kind === 'inquire' ? message.contender.request : null;
    const key = JSON.stringify([message.kind, sender, receiver, message.timestamp, 'grant' in message ? message.grant : null, contender]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

function rowsOf({ log, story, from, to, base, killed }: Scene, messages: readonly Sent[]): Row[] {
  const rows = story.steps.slice(from, to).flatMap(({ logged: { node, atMs, clock, event }, effects }, offset): Row[] => {
    const step = from + offset;
    const entered = effects.find((effect) => effect.kind === 'entered');
    const asks = event.kind === 'acquire';
    const leaves = event.kind === 'release';
    const said = messages.some(({ sentAt, receivedAt }) => sentAt === step || receivedAt === step);
    if (entered === undefined && !asks && !leaves && !said) return [];
    const words = [`${clock - base}`, asks ? 'asks' : '', leaves ? 'leaves' : '', entered === undefined ? '' : `enters, token ${entered.token - base}`];
    return [{ node, atMs, step, text: words.filter((word) => word !== '').join(' '), isDeath: false }];
  });
  if (killed === undefined) return rows;
  const born = log.steps.find(({ node, life, event }) => node === killed.node && life > 0 && event.kind === 'start');
  const extra: Row[] = [
    { node: killed.node, atMs: killed.atMs, step: null, text: 'kill -9', isDeath: true },
    ...(born === undefined ? [] : [{ node: killed.node, atMs: born.atMs, step: null, text: 'starts again', isDeath: false }]),
  ];
  for (const row of extra) {
    const place = rows.findIndex(({ atMs, node }) => atMs > row.atMs || (row.step === null && !row.isDeath && node === row.node && atMs >= row.atMs));
    rows.splice(place < 0 ? rows.length : place, 0, row);
  }
  return rows;
}

/** From which row to which a node is there; null for what lies outside of the picture. */
function livesOf(rows: readonly Row[], node: NodeId): [start: number | null, end: number | null][] {
  const death = rows.findIndex((row) => row.node === node && row.isDeath);
  if (death < 0) return [[null, null]];
  const birth = rows.findIndex((row, index) => index > death && row.node === node);
  return birth < 0 ? [[null, death]] : [[null, death], [birth, null]];
}

function messageLabel(message: Message, base: number): string {
  switch (message.kind) {
    case 'request': return `Request ${message.timestamp - base}`;
    case 'grant': return `Grant ${message.grant - base}`;
    case 'release': return 'Release';
    case 'inquire': return `Inquire ${message.grant - base} for ${message.contender.request.timestamp - base}`;
    case 'yield': return `Yield ${message.grant - base}`;
  }
}

interface TextStyle {
  readonly anchor: 'start' | 'middle' | 'end';
  readonly size: number;
  readonly color?: string;
  readonly weight?: 'bold';
}

/** With a white edge, and on a veil, so that lines below do not cross it out. */
function text(x: number, y: number, content: string, { anchor, size, color = '#222222', weight }: TextStyle): string {
  const bold = weight === undefined ? '' : ` font-weight="${weight}"`;
  const common = `x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}"${bold}`;
  const width = content.length * size * 0.43;
  const start = anchor === 'start' ? x : anchor === 'end' ? x - width : x - width / 2;
  const veil = `<rect x="${round(start)}" y="${round(y - size * 0.7)}" width="${round(width)}" height="${round(size * 0.8)}" fill="white" fill-opacity="0.75"/>`;
  return `${veil}<text ${common} fill="${color}" stroke="white" stroke-width="2" stroke-linejoin="round" paint-order="stroke">${escapeXml(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, color: string, width: number, dashes?: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${color}" stroke-width="${width}"${dashes === undefined ? '' : ` stroke-dasharray="${dashes}"`}/>`;
}

function arrow(x1: number, y1: number, x2: number, y2: number, color: string): string {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  const corner = (turn: number): string => `${round(x2 - 6 * Math.cos(angle + turn))},${round(y2 - 6 * Math.sin(angle + turn))}`;
  return `${line(x1, y1, x2, y2, color, 0.9)}<polygon points="${round(x2)},${round(y2)} ${corner(0.4)} ${corner(-0.4)}" fill="${color}"/>`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
