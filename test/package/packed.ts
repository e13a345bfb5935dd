/**
 * The package as its users get it: packed, and unpacked in an empty directory where only its own
 * dependencies are, and what a TypeScript user has beside it. By default the dependencies are links to those
 * of this repository, which needs no network. With MAEKAWA_PACKAGE=registry (`npm run package:check`) npm
 * installs the tarball and the newest TypeScript as a user would.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

export const ROOT = join(__dirname, '../..');
export const FROM_REGISTRY = process.env['MAEKAWA_PACKAGE'] === 'registry';

export class PackedPackage {
  readonly directory = mkdtempSync(join(tmpdir(), 'maekawa-package-'));
  readonly tarball: string;
  /** Of the tarball. */
  readonly files: readonly string[];

  constructor() {
    // `npm test` has built it; packing must not build again while other tests run the build.
    const output = execFileSync('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', this.directory], { cwd: ROOT, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [packed] = JSON.parse(output) as [{ filename: string; files: { path: string }[] }];
    this.tarball = join(this.directory, packed.filename);
    this.files = packed.files.map((file) => file.path);
    writeFileSync(join(this.directory, 'package.json'), '{ "private": true }'); // so that nobody looks further up
    if (FROM_REGISTRY) this.run('npm', 'install', '--no-audit', '--no-fund', this.tarball, 'typescript', '@types/node');
    else this.link();
  }

  /** Runs a program here. Its standard output; throws with its standard error when it fails. */
  run(program: string, ...args: string[]): string {
    return execFileSync(program, args, { cwd: this.directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }

  write(file: string, text: string): string {
    const path = join(this.directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** What the compiler says of modules that use the package: one line for each fault. */
  diagnose(files: readonly string[], options: ts.CompilerOptions = {}): string[] {
    const program = ts.createProgram(files.map((file) => join(this.directory, file)), {
      strict: true, noEmit: true, skipLibCheck: true, exactOptionalPropertyTypes: true, target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.Node16,
      lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts'], types: ['node'], typeRoots: [join(this.directory, 'node_modules/@types')], ...options,
    });
    return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
      const where = file === undefined ? '' : `${relative(this.directory, file.fileName)}:${file.getLineAndCharacterOfPosition(start).line + 1}: `;
      return `${where}${ts.flattenDiagnosticMessageText(messageText, '\n')}`;
    });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private link(): void {
    const modules = join(this.directory, 'node_modules');
    mkdirSync(join(modules, 'maekawa'), { recursive: true });
    mkdirSync(join(modules, '.bin'));
    this.run('tar', '-xzf', this.tarball, '-C', join(modules, 'maekawa'), '--strip-components', '1');
    const { dependencies, bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { dependencies: Record<string, string>; bin: { maekawa: string } };
    for (const name of [...Object.keys(dependencies), '@types/node', 'undici-types', 'typescript', '.bin/tsc']) {
      mkdirSync(dirname(join(modules, name)), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
    }
    chmodSync(join(modules, 'maekawa', bin.maekawa), 0o755);
    symlinkSync(join('../maekawa', bin.maekawa), join(modules, '.bin/maekawa'));
  }
}
