/** The step from findings to the PDF, and to its pages as SVG, in which their text can be looked up. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Findings } from './findings';
import { ReportError } from './logs';
import { ROOT } from './root';

export interface Pages {
  readonly pages: number;
  /** From 1: the page on which the logs begin. */
  readonly appendixPage: number;
}

/**
 * @throws ReportError when the template cannot be typeset, or a file not be written; the message has the words of the compiler
 */
export function typeset(findings: Findings, pdf: string, svg?: string): Pages {
  const program = join(ROOT, 'scripts/report/compile.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, pdf, ...(svg === undefined ? [] : [svg])], { input: JSON.stringify(findings), encoding: 'utf8' });
  if (status !== 0) throw new ReportError(stderr.trim());
  return JSON.parse(stdout) as Pages;
}
