/** Things that have a name which others may share, by that name. Law: a name of one thing alone, which most are, costs one entry. */
export class ByName<Thing extends { readonly name: string }> {
  private readonly things = new Map<string, Thing | Set<Thing>>();

  /** In the order in which they were added. */
  of(name: string): readonly Thing[] {
    const found = this.things.get(name);
    if (found === undefined) return [];
    return found instanceof Set ? [...found] : [found];
  }

  add(thing: Thing): void {
    const { name } = thing;
    const found = this.things.get(name);
    if (found === undefined) this.things.set(name, thing);
    else if (found instanceof Set) found.add(thing);
    else this.things.set(name, new Set([found, thing]));
  }

  delete(thing: Thing): void {
    const { name } = thing;
    const found = this.things.get(name);
    if (found === thing) this.things.delete(name);
    else if (found instanceof Set && found.delete(thing) && found.size === 0) this.things.delete(name);
  }
}
