/** The command `maekawa` with all its subcommands, as commander knows them. */
import { Command } from 'commander';
import { visibleLines } from '../visible';
import { completeCommand, completionCommand } from './completion';
import { demoCommand } from './demo';
import { refuseBytes } from './inherited';
import { electCommand, lockCommand, stealCommand } from './lock';
import { pathOf, withManual } from './manual';
import { nodeCommand } from './node';
import { quorumsCommand } from './quorums';
import { statusCommand } from './status';
import { watchCommand } from './watch';
import { whoCommand } from './who';
import { VERSION } from '../version';

export function createProgram(): Command {
  const maekawa = new Command('maekawa')
    .description('a lock that a fleet of machines shares without a lock server')
    .version(VERSION, '-V, --version', 'show the version');
  withManual(maekawa, {
    description: [
      'Some or all of your machines run a node each. The nodes lend each other their votes, and the node that has the votes of a quorum holds the lock. `maekawa lock` asks a node for a lock and runs a command while it holds the lock.',
      'A configuration file names the nodes: quorums.json, unless you name another.',
    ],
    environment: [
      ['MAEKAWA_CONFIG', 'the configuration, unless --config names one'],
      ['XDG_CACHE_HOME', 'where maekawa keeps what makes its next start faster (default: ~/.cache)'],
      ['NODE_DISABLE_COMPILE_CACHE', 'if set, it keeps nothing'],
    ],
    exitCodes: [
      'command', 'failed', 'usage', 'unreachable', 'storage', 'cannotWrite', 'protocol', 'noQuorum', 'lost', 'closed', 'timeout', 'cannotExecute', 'notFound', 'died',
    ],
    examples: [
      ['maekawa demo', 'watch four nodes share a lock and lose one of them'],
      ['maekawa quorums init --nodes 3', 'write a configuration'],
      ['maekawa node --id n1', 'start a node'],
      ['maekawa lock invoices -- ./job.sh', 'run a command while holding a lock'],
      ['maekawa COMMAND --help', 'show the manual of a command; also: man maekawa-lock'],
    ],
  });
  for (const command of [
    nodeCommand(), lockCommand(), electCommand(), stealCommand(), whoCommand(), watchCommand(), statusCommand(), quorumsCommand(), demoCommand(), completionCommand(),
  ]) {
    maekawa.addCommand(command);
  }
  maekawa.addCommand(completeCommand(), { hidden: true });
  maekawa.hook('preAction', (_, { registeredArguments, processedArgs }) => {
    const last: unknown = registeredArguments.at(-1)?.variadic === true ? processedArgs.at(-1) : [];
    refuseBytes(process.argv.slice(2), Array.isArray(last) ? last.length : 0);
  });
  settle(maekawa);
  return maekawa;
}

/** Errors look alike everywhere, and none ends the process by itself. */
function settle(command: Command): void {
  command
    .exitOverride()
    .showHelpAfterError(`(see ${pathOf(command)} --help)`)
    .configureOutput({ outputError: (text, write) => write(visibleLines(text.replace(/^error: /, 'maekawa: '))) });
  for (const each of command.commands) settle(each);
}
