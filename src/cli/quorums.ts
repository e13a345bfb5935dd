/** `maekawa quorums`: writes a configuration, checks one, says what its quorums are worth. */
import { Command } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import { EXIT } from './exit-codes';
import { countOf, fileArgument } from './quorums-common';
import type { Output } from './quorums-common';
import { describeCommand } from './quorums-describe';
import { initCommand } from './quorums-init';

/** The actions throw LockError `config` for a faulty file or impossible options. */
export function quorumsCommand(output: Output = process.stdout): Command {
  return new Command('quorums')
    .description('write, check and describe a configuration')
    .addCommand(initCommand(output))
    .addCommand(checkCommand(output))
    .addCommand(describeCommand(output));
}

function checkCommand(output: Output): Command {
  return new Command('check')
    .description('say everything that is wrong with a configuration, and how to mend it')
    .addArgument(fileArgument())
    .addHelpText('after', `
Ends with exit code ${EXIT.usage} and one line for each fault when there are any.

Examples:
  maekawa quorums check
  maekawa quorums check /etc/maekawa.json && systemctl restart maekawa`)
    .action((file: string) => {
      const configuration = readConfiguration(file);
      output.write(`${file} is sound: ${summaryOf(configuration)}\n`);
    });
}

function summaryOf({ nodes, quorums, leaseMs, retryMs }: Configuration): string {
  return `${countOf(nodes.length, 'node')}, family ${quorums.family}, any two quorums share a node; lease ${leaseMs} ms, renewed every ${retryMs} ms`;
}
