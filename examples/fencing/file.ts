/**
 * Fencing for a file that several processes replace. Others read it as the plain file that it is, and see
 * the old or the new content, never a part.
 *
 *     const fenced = fence(fileStore('/srv/report.json'));
 *     await locks.request('report', (lock) =>
 *       fenced.write(lock, async (file) => file.replace(await render(await file.read()))));
 *
 * To compare the token and then rename a new file over the old one would race: between both, another
 * process may do the same with a larger token, and the late rename undoes its write. Node.js offers no
 * lock between processes that the kernel would free when its holder dies. So the check is made by a
 * rename itself. Beside the file is a folder with one file whose name tells the current version; whoever
 * writes renames *that name* to a new one that never was before. The kernel lets one rename it; all others
 * find it gone, and begin again with the tokens of the version that won. Nobody ever waits, not even for
 * a process that is paused in the middle.
 *
 *     report.json            the content
 *     report.json.fence/
 *       ID.current           empty; the version with this id is the current one
 *       ID.tokens            the tokens seen as of that version
 *       ID.content           its content, until it has been moved to its place: whoever writes next moves
 *                            it when its writer did not live to do so
 *
 * Each step is on disk before the next one needs it, so a crash or a power cut leaves the old version or
 * the new one. What a crashed process had prepared stays in the folder and does no harm.
 *
 * For local file systems of POSIX systems. The folder belongs to the file: without it all tokens are forgotten.
 */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { admit } from 'maekawa';
import type { FenceOutcome, FenceStore, FencingToken, TokensSeen } from 'maekawa';

export interface FencedFile {
  /** The content of the last write that was accepted; null when there is no file yet. */
  read(): Promise<Buffer | null>;
  /** What the file shall contain. Without it the content stays, and the token is remembered all the same. */
  replace(content: string | Uint8Array): void;
}

/** A write may be done again when another process wrote meanwhile; then it reads what that one wrote. */
export function fileStore(path: string): FenceStore<FencedFile> {
  return new FileStore(path);
}

class FileStore implements FenceStore<FencedFile> {
  private readonly folder: string;

  constructor(private readonly path: string) {
    this.folder = `${path}.fence`;
  }

  async transact<T>(tokens: readonly FencingToken[], write: (file: FencedFile) => Promise<T>): Promise<FenceOutcome<T>> {
    for (;;) {
      const { current, seen } = await this.find();
      for (const token of tokens) {
        const known = seen.get(token.name);
        const admitted = admit(token, known);
        if (admitted === null) return { kind: 'stale', name: token.name, seen: known?.any ?? 0 };
        seen.set(token.name, admitted);
      }
      await this.publish(current);
      let content: string | Uint8Array | undefined;
      const value = await write({
        read: () => readFile(this.path).catch(unlessAbsent),
        replace: (replacement) => void (content = replacement),
      });
      const next = await this.prepare(seen, content);
      if (await renameIfThere(this.file(current, 'current'), this.file(next, 'current'))) {
        await syncDirectory(this.folder);
        await this.publish(next);
        await this.forget(current);
        return { kind: 'written', value };
      }
      await this.forget(next);
    }
  }

  /** The current version, and the tokens as of it. */
  private async find(): Promise<{ readonly current: string; readonly seen: Map<string, TokensSeen> }> {
    for (let attempts = 1; attempts <= 100; attempts++) {
      const names = (await readdir(this.folder).catch(unlessAbsent)) ?? [];
      if (names.length === 0) await this.begin();
      // A folder that is read while a name changes may show neither the old name nor the new one, and a
      // version that is followed while we look is forgotten. Then look again.
      const current = names.find((name) => name.endsWith('.current'))?.slice(0, -'.current'.length);
      if (current === undefined) continue;
      const tokens = await readFile(this.file(current, 'tokens'), 'utf8').catch(unlessAbsent);
      if (tokens !== null) return { current, seen: new Map(JSON.parse(tokens) as [string, TokensSeen][]) };
    }
    throw new Error(`${this.folder} is damaged: it has no current version with its tokens. Delete it if no old holder can still write`);
  }

  /** A folder with a first version is made elsewhere and moved here; of several, the kernel takes one. */
  private async begin(): Promise<void> {
    const draft = `${this.folder}.${randomUUID()}`;
    const version = randomUUID();
    await mkdir(draft);
    await writeToDisk(join(draft, `${version}.tokens`), '[]');
    await writeToDisk(join(draft, `${version}.current`), '');
    await syncDirectory(draft);
    await rename(draft, this.folder).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
    await rm(draft, { recursive: true, force: true });
    await syncDirectory(dirname(this.path));
  }

  /** Put a new version on disk, all but its name among the current ones. */
  private async prepare(seen: ReadonlyMap<string, TokensSeen>, content: string | Uint8Array | undefined): Promise<string> {
    const version = randomUUID();
    try {
      await writeToDisk(this.file(version, 'tokens'), JSON.stringify([...seen]));
      if (content !== undefined) await writeToDisk(this.file(version, 'content'), content);
      await syncDirectory(this.folder);
    } catch (error) {
      await this.forget(version);
      throw error;
    }
    return version;
  }

  /** Move the content of the current version to its place. Who comes second, however late, finds nothing to move. */
  private async publish(version: string): Promise<void> {
    await renameIfThere(this.file(version, 'content'), this.path);
    await syncDirectory(dirname(this.path));
  }

  private async forget(version: string): Promise<void> {
    for (const kind of ['tokens', 'content'] as const) await rm(this.file(version, kind), { force: true });
  }

  private file(version: string, kind: 'current' | 'tokens' | 'content'): string {
    return join(this.folder, `${version}.${kind}`);
  }
}

/** For `catch`: null for what is not there. */
function unlessAbsent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}

/** False when there is nothing by the old name. */
async function renameIfThere(from: string, to: string): Promise<boolean> {
  return (await rename(from, to).then(() => true, unlessAbsent)) ?? false;
}

async function writeToDisk(path: string, content: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** What was made, renamed or removed in a directory is on disk only after this. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
