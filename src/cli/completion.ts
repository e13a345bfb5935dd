/** `maekawa completion`: a script that lets the shell complete what is typed; and what that script asks for. */
import { Argument, Command } from 'commander';
import { readConfiguration } from '../config';
import { permitOf } from '../locks/permit';
import { clientsOf, closeAll, inventoryOf } from './all-nodes';
import type { AllNodesOptions } from './all-nodes';
import { modelOf } from './completion-model';
import type { CommandModel } from './completion-model';
import { bashScript, fishScript, zshScript } from './completion-scripts';
import { withManual } from './manual';
import { configOption, tlsOptions } from './options';
import { draw } from './print';

const SCRIPTS: Readonly<Record<string, (model: CommandModel) => string>> = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** A person who presses Tab does not wait long. */
const ANSWER_MS = 1_000;

export function completionCommand(): Command {
  const command = new Command('completion')
    .description('print a script that lets the shell complete commands, options, locks and nodes')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)));
  return withManual(command, {
    description: [
      'The script completes the ids of the nodes in the configuration, and the names of locks that somebody holds or waits for in their cluster.',
    ],
    exitCodes: ['usage'],
    examples: [
      ['source <(maekawa completion bash)', 'in ~/.bashrc'],
      ['source <(maekawa completion zsh)', 'in ~/.zshrc, after compinit'],
      ['maekawa completion fish > ~/.config/fish/completions/maekawa.fish'],
    ],
  }).action((shell: string) => {
    const { parent } = command;
    if (parent !== null) draw(SCRIPTS[shell]?.(modelOf(parent)) ?? '');
  });
}

/** Not for people: prints the words that may stand in a place, a line each. */
export function completeCommand(): Command {
  const command = new Command('complete')
    .description('print what can be completed')
    .addArgument(new Argument('<what>').choices(['lock', 'node']))
    .addOption(configOption());
  for (const option of tlsOptions()) command.addOption(option);
  return command.action(async (what: string, options: AllNodesOptions) => {
    // A word that a shell would have to quote is not offered.
    const words = (await (what === 'node' ? nodeIds(options) : lockNames(options))).filter((word) => /^[\w.,:@%+=/-]+$/.test(word));
    draw([...new Set(words)].sort().map((word) => `${word}\n`).join(''));
  });
}

function nodeIds({ config }: AllNodesOptions): Promise<string[]> {
  return Promise.resolve(readConfiguration(config).nodes.map(({ id }) => id));
}

async function lockNames(options: AllNodesOptions): Promise<string[]> {
  const nodes = clientsOf(options);
  const { held, pending } = await inventoryOf(nodes, ANSWER_MS);
  await closeAll(nodes);
  return [...held, ...pending].map(({ name }) => permitOf(name)?.semaphore ?? name);
}
