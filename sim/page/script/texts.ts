/** What a search looks through: for each row all that is said of it. */
import type { Model } from './model';
import { effectText, rowText } from './words';

export class Texts {
  /** Per row, in lower case. Made at the first search. */
  private texts: readonly string[] | null = null;

  constructor(private readonly model: Model) {}

  /** The rows in which this is said. */
  find(text: string): ReadonlySet<number> {
    const query = withoutGroups(text.trim().toLowerCase());
    this.texts ??= this.model.recording.rows.map((row) => {
      const name = row.node === null ? '' : this.model.nodeName(row.node);
      const effects = row.kind === 'step' ? row.effects.map((effect) => effectText(this.model, effect, row)).join(' ') : '';
      return withoutGroups(`${name} ${rowText(this.model, row)} ${effects}`.toLowerCase());
    });
    return query === '' ? new Set() : new Set(this.texts.flatMap((each, index) => (each.includes(query) ? [index] : [])));
  }
}

/** Numbers are found however they are grouped. */
function withoutGroups(text: string): string {
  return text.replace(/(?<=\d)[\u2009 ](?=\d{3})/g, '');
}
