/** The panel beside the diagram: one event, what came of it, and how things stood then. */
import type { RecordedMessage, Row, StepRow, WriteRow } from '../recording';
import { escape } from './html';
import type { Model, Wait } from './model';
import { clockText, effectText, fateText, messageFields, messageText, rowText, stateLines, timeText } from './words';

export function inspect(model: Model, index: number): string {
  const row = model.row(index);
  if (row === undefined) return '';
  if (row.kind === 'note') return heading(model, index, row);
  if (row.kind === 'write') return heading(model, index, row) + written(row) + votes(model, index, row.lock);
  return [
    heading(model, index, row),
    received(model, row),
    effects(model, row),
    ...model.locksOf(row).slice(0, 4).map((lock) => stateOf(model, index, row, lock) + votes(model, index, lock)),
  ].join('');
}

function heading(model: Model, index: number, row: Row): string {
  const where = row.node === null ? '' : `<span class="node node-${row.node % 8}">${escape(model.nodeName(row.node))}</span> `;
  const facts: [string, string][] = [['event', String(index + 1)], [model.recording.time === 'true' ? 'true time' : 'its wall clock', timeText(row.atUs)]];
  if (row.kind === 'step') facts.push(['Lamport clock', row.clock === 0 ? 'not on disk' : clockText(row.clock)], ['its own time', `${row.nowMs} ms`]);
  return `<h2>${where}${escape(rowText(model, row))}</h2>${definitions(facts)}`;
}

function definitions(facts: readonly (readonly [string, string])[]): string {
  return `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${escape(name)}</dt><dd>${escape(value)}</dd></div>`).join('')}</dl>`;
}

function written({ isAccepted }: WriteRow): string {
  const why = isAccepted
    ? 'Its token is at least as large as any that the resource has seen.'
    : 'The resource has seen a larger token: whoever writes here was followed by another holder, and comes too late. No lock can prevent that; the token does.';
  return section('What came of it', `<p>${why}</p>`);
}

function received(model: Model, { event }: StepRow): string {
  const message = model.message(event.message);
  if (message === undefined) return '';
  const delay = delayOf(model, message);
  return section('Received', `<p>${messageLink(model, message, message.sentAt)} from ${escape(model.nodeName(message.from))}${delay}</p>`
    + definitions(messageFields(model, message)));
}

function delayOf(model: Model, message: RecordedMessage): string {
  const sent = model.row(message.sentAt);
  const arrived = model.row(message.receivedAt[0] ?? -1);
  const fate = message.receivedAt.length > 1 ? `; ${fateText(message)}` : '';
  return sent === undefined || arrived === undefined || model.recording.time !== 'true' ? fate : `, ${timeText(arrived.atUs - sent.atUs)} on the way${fate}`;
}

function messageLink(model: Model, message: RecordedMessage, row: number): string {
  const name = `<b class="kind ${message.message.kind}">${escape(messageText(model, message))}</b>`;
  return row < 0 ? name : `<button class="link" data-go="${row}">${name}</button>`;
}

function effects(model: Model, row: StepRow): string {
  if (row.effects.length === 0) return section('What came of it', '<p class="nothing">nothing</p>');
  const items = row.effects.map((effect) => {
    const message = effect.kind === 'send' ? model.message(effect.message) : undefined;
    if (message === undefined) return `<li class="effect ${effect.kind}">${escape(effectText(model, effect, row))}</li>`;
    const fate = fateText(message);
    return `<li class="effect send">sends ${messageLink(model, message, message.receivedAt[0] ?? -1)} to ${escape(model.nodeName(message.to))}`
      + `${fate === null ? '' : ` <em class="fate${(message.dropped ?? []).length === 0 ? ' harmless' : ''}">${escape(fate)}</em>`}</li>`;
  });
  return section('What came of it', `<ul>${items.join('')}</ul>`);
}

function section(title: string, content: string): string {
  return `<section><h3>${escape(title)}</h3>${content}</section>`;
}

// --- state ------------------------------------------------------------------------------------------

function stateOf(model: Model, index: number, row: StepRow, lock: number): string {
  const before = stateLines(model, model.stateAt(row.node, lock, index - 1), row.nowMs);
  const after = stateLines(model, model.stateAt(row.node, lock, index), row.nowMs);
  return section(`${model.nodeName(row.node)} and ${model.lockName(lock)}, before and after`,
    `<h4>as arbiter</h4>${difference(before.arbiter, after.arbiter, 'vote free, nobody waits')}`
    + `<h4>as requester</h4>${difference(before.requester, after.requester, 'wants nothing')}`);
}

/** The lines of both, those that went struck out, those that came marked. */
function difference(before: readonly string[], after: readonly string[], nothing: string): string {
  if (before.length === 0 && after.length === 0) return `<ul class="state"><li class="nothing">${escape(nothing)}</li></ul>`;
  const gone = before.filter((line) => !after.includes(line));
  const items = [
    ...gone.map((line) => `<li class="gone"><del>${escape(line)}</del></li>`),
    ...after.map((line) => (before.includes(line) ? `<li>${escape(line)}</li>` : `<li class="new"><ins>${escape(line)}</ins></li>`)),
    ...(after.length === 0 ? [`<li class="new"><ins>${escape(nothing)}</ins></li>`] : []),
  ];
  return `<ul class="state">${items.join('')}</ul>`;
}

// --- all nodes --------------------------------------------------------------------------------------

function votes(model: Model, index: number, lock: number): string {
  const rows = model.recording.nodes.map((id, node) => {
    const { grants, queue, requester } = model.stateAt(node, lock, index);
    const nowMs = model.nodeTimeAt(node, index);
    const lent = grants.map(({ request, expiresAtMs }) => `<span class="node node-${indexOf(model, request.node)}${expiresAtMs <= nowMs ? ' over' : ''}">${escape(request.node)}</span>`);
    const waiting = queue.map(({ request }) => `<span class="node node-${indexOf(model, request.node)}">${escape(request.node)}</span>`);
    const is = model.isDown(node, index) ? 'down' : requester === null || requester.state === 'idle' ? '' : requester.state;
    return `<tr><th scope="row"><span class="node node-${node % 8}">${escape(id)}</span></th><td>${lent.join(' ') || '–'}</td><td>${waiting.join(' ') || '–'}</td><td class="is ${is}">${is || '–'}</td></tr>`;
  });
  const table = `<table><thead><tr><th scope="col">node</th><th scope="col">vote lent to</th><th scope="col">queue</th><th scope="col">itself</th></tr></thead><tbody>${rows.join('')}</tbody></table>`;
  return section(`The votes for ${model.lockName(lock)} at this moment`, table + inside(model, index, lock)) + waits(model, index, lock);
}

function inside(model: Model, index: number, lock: number): string {
  const holders = model.holdsAt(lock, index).map((hold) => {
    const died = hold.diedAt !== undefined && hold.diedAt <= index ? ', whose node died but whose lease has not ended' : '';
    return `${model.nodeName(hold.node)} caller ${hold.caller} with token ${clockText(hold.token)}${hold.mode === 'shared' ? ', shared' : ''}${died}`;
  });
  return holders.length === 0 ? '' : `<p class="inside">Inside: ${escape(holders.join('; '))}</p>`;
}

function indexOf(model: Model, id: string): number {
  return model.recording.nodes.indexOf(id) % 8;
}

function waits(model: Model, index: number, lock: number): string {
  const all = model.waitsAt(lock, index);
  if (all.length === 0) return section('Who waits for whom', '<p class="nothing">nobody waits</p>');
  const items = all.map(({ waiter, arbiter, holder, why }) => {
    const vote = `the vote of ${escape(model.nodeName(arbiter))}`;
    const whom = holder === null ? `${vote}: ${escape(why)}` : `<b>${escape(model.nodeName(holder))}</b>, which has ${vote}`;
    return `<li><b>${escape(model.nodeName(waiter))}</b> waits for ${whom}</li>`;
  });
  return section('Who waits for whom', `${waitGraph(model, all)}<ul>${items.join('')}</ul>`);
}

/** The nodes in a ring, an arrow from each that waits to who has the vote it lacks. */
function waitGraph(model: Model, all: readonly Wait[]): string {
  const edges = [...new Map(all.filter((wait) => wait.holder !== null && wait.holder !== wait.waiter).map((wait) => [`${wait.waiter} ${wait.holder}`, wait])).values()];
  if (edges.length === 0) return '';
  const { nodes } = model.recording;
  const radius = Math.min(70, 26 + nodes.length * 7);
  const center = { x: 150, y: radius + 20 };
  const at = (node: number): { x: number; y: number } => {
    const angle = (node / nodes.length) * 2 * Math.PI - Math.PI / 2;
    return { x: center.x + Math.cos(angle) * radius * 1.5, y: center.y + Math.sin(angle) * radius };
  };
  const lines = edges.map(({ waiter, holder }) => {
    const from = at(waiter);
    const to = at(holder ?? waiter);
    const length = Math.hypot(to.x - from.x, to.y - from.y);
    const [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length];
    const end = { x: to.x - dx * 17, y: to.y - dy * 17 };
    return `<path class="shaft" d="M${from.x} ${from.y}L${end.x} ${end.y}"/>`
      + `<path class="head" d="M${end.x + dx * 2} ${end.y + dy * 2}L${end.x - dx * 7 - dy * 4} ${end.y - dy * 7 + dx * 4}L${end.x - dx * 7 + dy * 4} ${end.y - dy * 7 - dx * 4}z"/>`;
  });
  const circles = nodes.map((id, node) => {
    const { x, y } = at(node);
    return `<circle class="node-${node % 8}" cx="${x}" cy="${y}" r="14"/><text x="${x}" y="${y + 4}">${escape(id)}</text>`;
  });
  return `<svg class="waits" viewBox="0 0 300 ${2 * radius + 40}" aria-hidden="true">${lines.join('')}${circles.join('')}</svg>`;
}
