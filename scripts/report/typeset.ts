/** The step from findings to the PDF, and to its pages as SVG, in which their text can be looked up. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Findings } from './findings';
import { ReportError } from './logs';
import { ROOT } from './root';

/**
 * Returns how many pages the PDF has.
 * @throws ReportError when the template cannot be typeset, or a file not be written; the message has the words of the compiler
 */
export function typeset(findings: Findings, pdf: string, svg?: string): number {
  const program = join(ROOT, 'scripts/report/typeset.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, pdf, ...(svg === undefined ? [] : [svg])], { input: JSON.stringify(findings), encoding: 'utf8' });
  if (status !== 0) throw new ReportError(stderr.trim());
  return Number(stdout);
}
