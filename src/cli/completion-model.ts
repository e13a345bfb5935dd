/** What can be typed, read from the definitions of the commands: what the completion scripts are made of. */
import type { Argument, Command, Option } from 'commander';
import { optionText, subcommandsOf } from './manual';

/** What can stand in a place. `lock` and `node` are asked of `maekawa complete` when they are needed. */
export type Place = 'nothing' | 'file' | 'directory' | 'lock' | 'node' | 'command' | { readonly words: readonly string[] };

export interface OptionModel {
  /** `-w`, `--wait`: the long one is last. */
  readonly flags: readonly string[];
  readonly description: string;
  /** Of what its value is; null for an option without a value. */
  readonly value: Place | null;
  /** `duration` */
  readonly valueName: string;
  readonly isRepeatable: boolean;
}

export interface OperandModel {
  readonly name: string;
  readonly place: Place;
  readonly isVariadic: boolean;
}

export interface CommandModel {
  readonly name: string;
  /** Below `maekawa`: `quorums init`, and nothing for `maekawa` itself. */
  readonly path: string;
  readonly description: string;
  readonly options: readonly OptionModel[];
  readonly operands: readonly OperandModel[];
  readonly commands: readonly CommandModel[];
}

export function modelOf(command: Command, above: readonly string[] = []): CommandModel {
  const path = command.parent === null ? [] : [...above, command.name()];
  return {
    name: command.name(),
    path: path.join(' '),
    description: command.description(),
    options: command.createHelp().visibleOptions(command).map(optionModel),
    operands: command.registeredArguments.map(operandModel),
    commands: subcommandsOf(command).map((each) => modelOf(each, path)),
  };
}

/** It and all commands below it. */
export function withSubcommands(model: CommandModel): CommandModel[] {
  return [model, ...model.commands.flatMap(withSubcommands)];
}

function optionModel(option: Option): OptionModel {
  const { short, long, argChoices, required } = option;
  const valueName = /<([^<>]+)>/.exec(option.flags)?.[1] ?? '';
  return {
    flags: [short, long].filter((flag) => flag !== undefined),
    description: optionText(option),
    value: required ? placeOf(valueName, argChoices) : null,
    valueName,
    isRepeatable: option.description.includes('(repeatable)'),
  };
}

function operandModel(argument: Argument): OperandModel {
  const name = argument.name();
  if (argument.variadic) return { name, place: 'command', isVariadic: true };
  return { name, place: placeOf(name === 'name' ? 'lock' : name, argument.argChoices), isVariadic: false };
}

/** What the value's name in `--option <name>` says of it. */
function placeOf(valueName: string, choices: readonly string[] | undefined): Place {
  if (choices !== undefined) return { words: choices };
  switch (valueName) {
    case 'file':
      return 'file';
    case 'dir':
      return 'directory';
    case 'lock':
      return 'lock';
    case 'id':
      return 'node';
    default:
      return 'nothing';
  }
}
