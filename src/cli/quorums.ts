/** `maekawa quorums`: writes a configuration, checks one, says what its quorums are worth, lets one take another's place. */
import { Command } from 'commander';
import { readConfiguration } from '../config';
import type { Configuration } from '../config';
import { visibleLines } from '../visible';
import { withManual } from './manual';
import { countOf, fileArgument } from './quorums-common';
import type { Output } from './quorums-common';
import { changeCommand } from './quorums-change';
import { describeCommand } from './quorums-describe';
import { initCommand } from './quorums-init';

/** The actions throw LockError `config` for a faulty file or impossible options. */
export function quorumsCommand(out: Output = process.stdout): Command {
  const output: Output = { write: (text) => out.write(visibleLines(text)) };
  const command = new Command('quorums')
    .description('write, check, describe and change a configuration')
    .addCommand(initCommand(output))
    .addCommand(checkCommand(output))
    .addCommand(describeCommand(output))
    .addCommand(changeCommand(output));
  return withManual(command, {
    description: ['A configuration names the nodes of a cluster and says how they form quorums. Any two quorums must share a node: that makes a lock exclusive. maekawa refuses a file in which two quorums share none.'],
    exitCodes: ['usage'],
    examples: [
      ['maekawa quorums init --nodes 5'],
      ['maekawa quorums check'],
      ['maekawa quorums describe'],
      ['maekawa quorums change quorums.json seven.json'],
    ],
  });
}

function checkCommand(output: Output): Command {
  const command = new Command('check')
    .description('find every fault of a configuration, and say how to mend it')
    .addArgument(fileArgument());
  return withManual(command, {
    description: ['Prints one line for each fault.'],
    exitCodes: [['usage', 'there is a fault']],
    examples: [['maekawa quorums check'], ['maekawa quorums check /etc/maekawa.json && systemctl restart maekawa']],
  }).action((file: string) => {
    const configuration = readConfiguration(file);
    output.write(`${file} is sound: ${summaryOf(configuration)}\n`);
  });
}

function summaryOf({ nodes, quorums, leaseMs, retryMs }: Configuration): string {
  return `${countOf(nodes.length, 'node')}, family ${quorums.family}, any two quorums share a node; lease ${leaseMs} ms, renewed every ${retryMs} ms`;
}
