/** What is there once: the title, the verdict, and the chips that filter. */
import { escape, find } from './html';
import { CLASSES } from './model';
import type { Model } from './model';
import { clockText } from './words';

export function writeHeader(model: Model): void {
  const { title, subtitle, violation, allWell, holds } = model.recording;
  document.title = `${title} · maekawa`;
  find('#title', HTMLElement).textContent = title;
  find('#subtitle', HTMLElement).innerHTML = subtitle.map((line) => `<p>${escape(line)}</p>`).join('');
  const verdict = find('#verdict', HTMLElement);
  if (violation === null) {
    verdict.innerHTML = `<span class="good">✓ ${escape(allWell)}</span>`;
    return;
  }
  verdict.innerHTML = `<button class="bad" data-go="${violation.row}" title="Go there (v)">✗ ${escape(violation.check)} is violated</button>`;
  const broken = violation.holds.flatMap((index) => holds[index] ?? []);
  const links = broken.map((hold) => `<button class="link" data-go="${hold.from}">${escape(model.nodeName(hold.node))} entered with token ${clockText(hold.token)}</button>`);
  find('#verdict-card', HTMLElement).innerHTML = `<h2>✗ ${escape(violation.check)}</h2><p>${escape(violation.detail)}</p>`
    + `<p class="why">${escape(violation.explanation)}</p>${links.length === 0 ? '' : `<p>${links.join(' · ')}</p>`}`;
}

export function writeFilters(model: Model): void {
  const { nodes, locks, rows } = model.recording;
  const chip = (key: string, text: string, look: string): string =>
    `<button class="chip ${look}" data-filter="${key}" aria-pressed="true">${escape(text)}</button>`;
  const group = (name: string, chips: readonly string[]): string =>
    `<div class="group" role="group" aria-label="${name}"><span class="name">${name}</span>${chips.join('')}</div>`;
  const used = new Set(rows.map((row) => model.classOf(row)));
  find('#filters', HTMLElement).innerHTML = [
    group('nodes', nodes.map((id, node) => chip(`node ${node}`, id, `node-${node % 8}`))),
    locks.length < 2 ? '' : group('locks', locks.map((name, lock) => chip(`lock ${lock}`, name, `lock-${lock % 6}`))),
    group('events', CLASSES.filter((each) => used.has(each)).map((each) => chip(`class ${each}`, each, `kind ${each}`))),
  ].join('');
}
