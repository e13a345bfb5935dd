/** The completion scripts of three shells, out of one model of what can be typed. */
import { withSubcommands } from './completion-model';
import type { CommandModel, OptionModel, Place } from './completion-model';

export function bashScript(model: CommandModel): string {
  const commands = withSubcommands(model);
  return `# Completion of maekawa for bash 4 or newer: source <(maekawa completion bash)

_maekawa() {
  local current=\${COMP_WORDS[COMP_CWORD]} path='' operands=0 operands_before expects='' option='' config=() i word
  COMPREPLY=()
  [[ $current == = ]] && current=''
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ $expects ]]; then # the value of the option before; bash takes = for a word
      [[ $word == = ]] && continue
      [[ $option == -c || $option == --config ]] && config=(--config "\${word/#~\\//$HOME/}")
      expects=''
      continue
    fi
    case $word in
      --)
        if _maekawa_runs_command; then
          _maekawa_command $((i + operands_before - operands + 1))
          return
        fi ;;
      -?*) option=$word; _maekawa_value ;;
      *)
        _maekawa_subcommand && continue
        if _maekawa_runs_command && ((operands == operands_before)); then
          _maekawa_command $i
          return
        fi
        ((++operands)) ;;
    esac
  done
  [[ $expects == '' && $current == -* ]] && expects=options
  [[ $expects ]] || _maekawa_operand
  case $expects in
    options) _maekawa_words "$(_maekawa_options)" ;;
    words:*) _maekawa_words "\${expects#words:}" ;;
    lock | node) _maekawa_words "$(maekawa complete "$expects" "\${config[@]}" 2>/dev/null)" ;;
    file) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current") ;;
    directory) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current") ;;
    command) _maekawa_command $COMP_CWORD ;;
  esac
}

_maekawa_words() {
  mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
}

# The command that is run while the lock is held begins at this word.
_maekawa_command() {
  if ((COMP_CWORD < $1)); then
    return
  elif ((COMP_CWORD == $1)); then
    mapfile -t COMPREPLY < <(compgen -c -- "$current")
  elif declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  else
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}

_maekawa_subcommand() {
  case "$path $word" in
${commands.slice(1).map((each) => `    '${parentPath(each)} ${each.name}') path='${each.path}' ;;`).join('\n')}
    *) return 1 ;;
  esac
}

# What the option expects as its value.
_maekawa_value() {
  case "$path $option" in
${commands.flatMap((each) => each.options.flatMap((option) => bashValueCase(each, option))).join('\n')}
  esac
}

_maekawa_options() {
  case $path in
${commands.map((each) => `    '${each.path}') echo '${each.options.flatMap(({ flags }) => flags.slice(-1)).join(' ')}' ;;`).join('\n')}
  esac
}

# What is expected after so many operands.
_maekawa_operand() {
  case "$path $operands" in
${commands.flatMap(bashOperandCases).join('\n')}
  esac
}

# Whether this is a command that runs another, and after how many operands.
_maekawa_runs_command() {
  case $path in
${commands.filter(runsCommand).map((each) => `    '${each.path}') operands_before=${each.operands.length - 1} ;;`).join('\n')}
    *) return 1 ;;
  esac
}

complete -F _maekawa maekawa
`;
}

function parentPath({ path, name }: CommandModel): string {
  return path.slice(0, path.length - name.length).trimEnd();
}

function runsCommand({ operands }: CommandModel): boolean {
  return operands.some(({ isVariadic }) => isVariadic);
}

function bashValueCase({ path }: CommandModel, { flags, value }: OptionModel): string[] {
  if (value === null) return [];
  return [`    ${flags.map((flag) => `'${path} ${flag}'`).join(' | ')}) expects=${bashPlace(value)} ;;`];
}

function bashOperandCases({ path, operands, commands }: CommandModel): string[] {
  if (commands.length > 0) return [`    '${path} 0') expects='words:${commands.map(({ name }) => name).join(' ')}' ;;`];
  return operands
    .filter(({ place }) => place !== 'nothing')
    .map(({ place, isVariadic }, index) => `    '${path} '${isVariadic ? '*' : index}) expects=${bashPlace(place)} ;;`);
}

function bashPlace(place: Place): string {
  return typeof place === 'string' ? place : `'words:${place.words.join(' ')}'`;
}

export function zshScript(model: CommandModel): string {
  const commands = withSubcommands(model);
  return `#compdef maekawa
# Completion of maekawa for zsh: source <(maekawa completion zsh)

${commands.map(zshFunction).join('\n')}
_maekawa_ask() {
  local -a found
  found=(\${(f)"$(maekawa complete $1 \${opt_args[-c]:+--config} \${opt_args[-c]} \${opt_args[--config]:+--config} \${opt_args[--config]} 2>/dev/null)"})
  compadd -a found
}

# In a folder of $fpath this file is the function itself.
if [[ $funcstack[1] == _maekawa ]]; then _maekawa "$@"; else compdef _maekawa maekawa; fi
`;
}

function zshName(path: string): string {
  return ['_maekawa', ...path.split(' ')].filter((part) => part !== '').join('_');
}

function zshFunction({ path, options, operands, commands }: CommandModel): string {
  const specs = options.map(zshOption);
  if (commands.length === 0) {
    const places = operands.map(({ name, place, isVariadic }, index) => `'${isVariadic ? '*:' : `${index + 1}`}:${name}:${zshPlace(place)}'`);
    return `${zshName(path)}() {
  local -A opt_args
  _arguments -s -S ${[...specs, ...places].join(' \\\n    ')}
}
`;
  }
  return `${zshName(path)}() {
  local -A opt_args
  local state line
  _arguments -C ${specs.join(' \\\n    ')} \\
    '1:command:->commands' '*::argument:->arguments'
  case $state in
    commands)
      local -a commands=(
${commands.map(({ name, description }) => `        ${zshQuote(`${name}:${description}`)}`).join('\n')}
      )
      _describe command commands ;;
    arguments)
      case $line[1] in
${commands.map((each) => `        ${each.name}) ${zshName(each.path)} ;;`).join('\n')}
      esac ;;
  esac
}
`;
}

function zshOption({ flags, description, value, valueName, isRepeatable }: OptionModel): string {
  const text = `[${description.replace(/[[\]:\\]/g, '\\$&')}]${value === null ? '' : `:${valueName.replaceAll(':', '\\:')}:${zshPlace(value)}`}`;
  const [first = '', second] = flags;
  if (isRepeatable) return flags.map((flag) => zshQuote(`*${flag}${text}`)).join(' ');
  return second === undefined ? zshQuote(`${first}${text}`) : `'(${first} ${second})'{${first},${second}}${zshQuote(text)}`;
}

function zshPlace(place: Place): string {
  if (typeof place !== 'string') return `(${place.words.join(' ')})`;
  switch (place) {
    case 'nothing':
      return ' ';
    case 'file':
      return '_files';
    case 'directory':
      return '_files -/';
    case 'lock':
    case 'node':
      return ` _maekawa_ask ${place}`; // the blank keeps zsh from adding arguments
    case 'command':
      return '_normal';
  }
}

/** One word of the shell. */
function zshQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function fishScript(model: CommandModel): string {
  const lines = withSubcommands(model).flatMap((each) => [
    ...each.commands.map(({ name, description }) => fishLine(each, `-f -a ${name} -d ${fishQuote(description)}`)),
    ...each.options.map((option) => fishLine(each, fishOption(option))),
    ...each.operands.map(({ place, isVariadic }, index) =>
      fishLine(each, `${isVariadic ? '-x' : fishPlace(place)}${isVariadic ? " -a '(__maekawa_command)'" : ''}`, isVariadic ? `test (__maekawa_operands) -ge ${index}` : `test (__maekawa_operands) -eq ${index}`)),
  ]);
  return `# Completion of maekawa for fish: maekawa completion fish > ~/.config/fish/completions/maekawa.fish

# The words before the cursor that are no options and no values of options, one a line.
function __maekawa_words
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip -eq 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word ${withSubcommands(model).flatMap(({ options }) => options).filter(({ value }) => value !== null).flatMap(({ flags }) => flags).filter(isFirst).join(' ')}; and set skip 1
            test $word = --; and break
        else
            echo $word
        end
    end
end

# Whether these subcommands were typed, and nothing that would be a further one.
function __maekawa_at
    set -l words (__maekawa_words)
    set -l at $argv
    test (count $words) -ge (count $at); or return 1
    for i in (seq (count $at))
        test $words[$i] = $at[$i]; or return 1
    end
end

# How many operands come before the cursor; the word after the subcommands counts as none.
function __maekawa_operands
    set -l words (__maekawa_words)
    set -l below 1
    contains -- "$words[1]" ${model.commands.filter(({ commands }) => commands.length > 0).map(({ name }) => name).join(' ')}; and set below 2
    math (count $words) - $below
end

function __maekawa_config
    set -l words (commandline -opc)
    for i in (seq (count $words))
        contains -- $words[$i] -c --config; and echo --config; and echo $words[(math $i + 1)]
    end
end

# What is run while the lock is held.
function __maekawa_command
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words)
    if test -n "$at"; and test $at -lt (count $words)
        complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..-1]) (commandline -ct))
    else if test -n "$at"; or test (__maekawa_operands) -eq 1
        complete -C (commandline -ct)
    else
        __fish_complete_path (commandline -ct)
    end
end

complete -c maekawa -f
${lines.join('\n')}
`;
}

function fishLine({ path, commands }: CommandModel, rest: string, condition?: string): string {
  const at = path === '' ? 'not __maekawa_words | string length -q' : commands.length > 0 ? `__maekawa_at ${path}; and test (count (__maekawa_words)) -eq ${path.split(' ').length}` : `__maekawa_at ${path}`;
  return `complete -c maekawa -n ${fishQuote(condition === undefined ? at : `${at}; and ${condition}`)} ${rest}`;
}

function fishOption({ flags, description, value }: OptionModel): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  return `${names} -d ${fishQuote(description)}${value === null ? '' : ` ${fishPlace(value)}`}`;
}

function fishPlace(place: Place): string {
  if (typeof place !== 'string') return `-x -a ${fishQuote(place.words.join(' '))}`;
  switch (place) {
    case 'nothing':
    case 'command':
      return '-x';
    case 'file':
      return '-r -F';
    case 'directory':
      return "-x -a '(__fish_complete_directories)'";
    case 'lock':
    case 'node':
      return `-x -a '(maekawa complete ${place} (__maekawa_config) 2>/dev/null)'`;
  }
}

function fishQuote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}

function isFirst<Item>(item: Item, index: number, list: readonly Item[]): boolean {
  return list.indexOf(item) === index;
}
