// The public face of the package: a report in docs/api for each module that users import. Reads the built declarations.
// Compares, and fails when a report is not what the code says; with --update it writes them, for review like code.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const declarations = join(root, 'dist/src');
const reports = join(root, 'docs/api');
const modules = { maekawa: 'index.d.ts', 'maekawa-testing': 'testing/index.d.ts' };
const isUpdate = process.argv.includes('--update');

/** Whether the report is what the code says. */
function isCurrent(name, entryPoint, drafts) {
  const extractorConfig = ExtractorConfig.prepare({
    packageJsonFullPath: join(root, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: root,
      mainEntryPointFilePath: join(declarations, entryPoint),
      compiler: { tsconfigFilePath: join(root, 'tsconfig.build.json') },
      apiReport: { enabled: true, reportFileName: `${name}.api.md`, reportFolder: reports, reportTempFolder: drafts },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      newlineKind: 'lf',
      messages: {
        // What is exported is public, and no tag says it again. TypeDoc checks the comments, and that each type which
        // one module speaks of is exported by one of both.
        extractorMessageReporting: { default: { logLevel: 'error' }, ...off('ae-missing-release-tag', 'ae-undocumented', 'ae-forgotten-export') },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  });
  const { succeeded, apiReportChanged } = Extractor.invoke(extractorConfig, { localBuild: isUpdate, printApiReportDiff: !isUpdate, messageCallback: say });
  return isUpdate ? succeeded : succeeded && !apiReportChanged;
}

function off(...messages) {
  return Object.fromEntries(messages.map((message) => [message, { logLevel: 'none' }]));
}

/** Faults of the code and differences are shown. What is to be done about them is said below in the words of this project. */
function say(message) {
  message.handled = message.category === 'console' && message.messageId !== 'console-api-report-diff';
}

mkdirSync(reports, { recursive: true });
const drafts = mkdtempSync(join(tmpdir(), 'maekawa-api-'));
try {
  for (const [name, entryPoint] of Object.entries(modules)) {
    if (isCurrent(name, entryPoint, drafts)) continue;
    console.error(`docs/api/${name}.api.md is not what the code exports. If the change is meant, run "npm run api" and commit the file with it.`);
    process.exitCode = 1;
  }
} finally {
  rmSync(drafts, { recursive: true });
}
