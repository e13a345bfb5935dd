/** `maekawa quorums`: writes a configuration, checks one, says what its quorums are worth. */
import { Command } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import { initCommand } from './quorums-init';

/** Where a command writes; `process.stdout` fits. */
export interface Output {
  write(text: string): unknown;
}

const DEFAULT_FILE = 'quorums.json';

/** The actions throw LockError `config` for a faulty file or impossible options. */
export function quorumsCommand(output: Output = process.stdout): Command {
  return new Command('quorums')
    .description('write, check and describe a configuration')
    .addCommand(initCommand(output))
    .addCommand(checkCommand(output));
}

function checkCommand(output: Output): Command {
  return new Command('check')
    .description('say everything that is wrong with a configuration, and how to mend it')
    .argument('[file]', 'the configuration', DEFAULT_FILE)
    .addHelpText('after', `
Ends with exit code 64 and one line for each fault when there are any.

Examples:
  maekawa quorums check
  maekawa quorums check /etc/maekawa.json && systemctl restart maekawa`)
    .action((file: string) => {
      const configuration = readConfiguration(file);
      output.write(`${file} is sound: ${summaryOf(configuration)}\n`);
    });
}

function summaryOf({ nodes, quorums, leaseMs, retryMs }: Configuration): string {
  return `${nodes.length} nodes, family ${quorums.family}, any two quorums share a node; lease ${leaseMs} ms, renewed every ${retryMs} ms`;
}
