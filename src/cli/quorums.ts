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
    description: ['Prints one line for each fault, and a note for what is allowed and hardly ever meant. Of very many faults the first 20 are shown.'],
    exitCodes: [['usage', 'there is a fault']],
    examples: [['maekawa quorums check'], ['maekawa quorums check /etc/maekawa.json && systemctl restart maekawa']],
  }).action((file: string) => {
    const configuration = readConfiguration(file);
    output.write(`${file} is sound: ${summaryOf(configuration)}\n`);
    for (const remark of remarksOn(configuration)) output.write(`note: ${remark}\n`);
  });
}

/** What is allowed, and hardly ever meant. */
function remarksOn({ nodes, quorums }: Configuration): string[] {
  const everywhere = nodes.filter(({ address }) => /^(0\.0\.0\.0|\[::(0*)\]):/.test(address)).map(({ id }) => id);
  return [
    ...(everywhere.length === 0 ? [] : [`${everywhere.join(', ')} ${everywhere.length === 1 ? 'has' : 'have'} an address on which one listens and that no peer can reach; write where the others find the node, and give the other to its --listen`]),
    ...(nodes.length === 2 && quorums.family === 'majority' ? ['a majority of two nodes is both of them, so no lock can be had while either is down: that is worse than one node alone; use three'] : []),
  ];
}

function summaryOf({ nodes, quorums, leaseMs, retryMs }: Configuration): string {
  return `${countOf(nodes.length, 'node')}, family ${quorums.family}, any two quorums share a node; lease ${leaseMs} ms, renewed every ${retryMs} ms`;
}
