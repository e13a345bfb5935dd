/**
 * The manual of each command: its description beyond the options, and how it is laid out as a page. `--help`, the
 * man pages and the completion scripts are all made from the same definitions, so a command is described once.
 */
import type { Argument, Command, Option } from 'commander';
import { EXIT_MEANINGS } from './exit-codes';
import { formatHelp } from './help-text';
import type { Block, Entry, Manual, Section } from './page';

const manuals = new WeakMap<Command, Manual>();

/** Every command gets one. */
export function withManual(command: Command, manual: Manual): Command {
  manuals.set(command, manual);
  return command
    .configureHelp({ formatHelp: (each, helper) => formatHelp(sectionsOf(each), helper.helpWidth ?? 80) })
    .helpOption('-h, --help', 'show this page');
}

/** `maekawa quorums init` */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** `maekawa-quorums-init`: the name of its page. */
export function pageName(command: Command): string {
  return pathOf(command).replaceAll(' ', '-');
}

/** The commands below it that are shown to people. */
export function subcommandsOf(command: Command): Command[] {
  return command.createHelp().visibleCommands(command).filter((each) => each.name() !== 'help');
}

export function sectionsOf(command: Command): Section[] {
  const manual = manuals.get(command);
  const path = pathOf(command);
  const sections: Section[] = [
    { title: 'NAME', blocks: [{ kind: 'text', text: `${path} - ${command.description()}` }] },
    { title: 'SYNOPSIS', blocks: [{ kind: 'text', text: `${path} ${command.usage()}` }] },
    { title: 'DESCRIPTION', blocks: [...(manual?.description ?? []).map((text) => ({ kind: 'text', text }) as const), ...entries(manual?.table ?? [])] },
    { title: 'COMMANDS', blocks: entries(subcommandsOf(command).map((each) => [each.name(), each.description()])) },
    { title: 'ARGUMENTS', blocks: entries(command.registeredArguments.map((each) => [each.name(), argumentText(each)])) },
    { title: 'OPTIONS', blocks: optionBlocks(command) },
    { title: 'ENVIRONMENT', blocks: entries(manual?.environment ?? []) },
    { title: 'EXIT STATUS', blocks: entries((manual?.exitCodes ?? []).map(exitCodeEntry)) },
    { title: 'EXAMPLES', blocks: (manual?.examples.length ?? 0) === 0 ? [] : [{ kind: 'examples', examples: manual?.examples ?? [] }] },
    { title: 'SEE ALSO', blocks: seeAlso(command) },
  ];
  return sections.filter((section) => section.blocks.length > 0);
}

function entries(list: readonly Entry[], heading?: string): Block[] {
  return list.length === 0 ? [] : [{ kind: 'entries', entries: list, ...(heading === undefined ? {} : { heading }) }];
}

/** Those of no group first, then the groups in the order in which they appear. */
function optionBlocks(command: Command): Block[] {
  const ungrouped: Entry[] = [];
  const help: Entry[] = [];
  const groups = new Map<string, Entry[]>();
  for (const option of command.createHelp().visibleOptions(command)) {
    const { long, flags, helpGroupHeading: heading } = option;
    const entry = [flags, optionText(option)] as const;
    if (long === '--help') help.push(entry);
    else if (heading === undefined) ungrouped.push(entry);
    else groups.set(heading, [...(groups.get(heading) ?? []), entry]);
  }
  const named = [...groups].flatMap(([heading, list]) => entries(list, heading));
  return ungrouped.length > 0 ? [...entries([...ungrouped, ...help]), ...named] : [...named, ...entries(help)];
}

export function optionText({ description, argChoices, defaultValue, defaultValueDescription, envVar }: Option): string {
  const shown = defaultValueDescription ?? (typeof defaultValue === 'string' || typeof defaultValue === 'number' ? String(defaultValue) : undefined);
  const extras = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(shown === undefined ? [] : [`default: ${shown}`]),
    ...(envVar === undefined ? [] : [`or $${envVar}`]),
  ];
  return extras.length === 0 ? description : `${description} (${extras.join('; ')})`;
}

function argumentText({ description, argChoices, defaultValueDescription: shown }: Argument): string {
  const extras = [...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]), ...(shown === undefined ? [] : [`default: ${shown}`])];
  return extras.length === 0 ? description : `${description} (${extras.join('; ')})`;
}

function exitCodeEntry(code: Manual['exitCodes'][number]): Entry {
  const [name, meaning] = typeof code === 'string' ? [code, undefined] : code;
  const { shown, meaning: general } = EXIT_MEANINGS[name];
  return [shown, meaning ?? general];
}

/** The page above, those beside, and those below. */
function seeAlso(command: Command): Block[] {
  const { parent } = command;
  const beside = parent === null ? [] : [parent, ...subcommandsOf(parent).filter((each) => each !== command)];
  const pages = [...beside, ...subcommandsOf(command)].map((each) => `${pageName(each)}(1)`);
  return pages.length === 0 ? [] : [{ kind: 'text', text: pages.join(', ') }];
}
