/**
 * one-configuration: nodes of two layouts do not both begin to lend their votes, each with a quorum (protocol.md section 17.1). For runs with
 * a rolling change, in which some node of each quorum of either layout is named by both files, and they reach each other.
 */
import type { Coterie } from '../../src/quorum/coterie';
import { coterieOfLayout } from '../plan/layout';
import type { LayoutName, Rolling } from '../plan/plan';
import { violated } from './check';
import type { Scene } from './scene';
import type { Witness } from './witness';

export class OneConfiguration implements Witness {
  readonly figures = { layoutChanges: 0 };
  private readonly coteries: Readonly<Record<LayoutName, Coterie>>;

  /** Whose votes were lent the last time. */
  private served: LayoutName | null = null;

  constructor(private readonly scene: Scene, { old, new: next }: Rolling) {
    const nodes = scene.nodeIds.length;
    this.coteries = { old: coterieOfLayout(old, nodes), new: coterieOfLayout(next, nodes) };
  }

  stepped(): void {
    const [isOld, isNew] = [this.doServe('old'), this.doServe('new')];
    if (!isOld || !isNew) return this.serves(isOld ? 'old' : isNew ? 'new' : this.served);
    violated('one-configuration', `votes are lent under both files, by ${this.begun('old').join(', ')} and by ${this.begun('new').join(', ')}`);
  }

  private serves(file: LayoutName | null): void {
    if (this.served !== null && file !== this.served) this.figures.layoutChanges++;
    this.served = file;
  }

  private doServe(file: LayoutName): boolean {
    return this.coteries[file].containsQuorum(new Set(this.begun(file)));
  }

  private begun(file: LayoutName): string[] {
    return this.scene.places.filter((place) => place.file === file && place.hasBegun).map(({ id }) => id);
  }
}
