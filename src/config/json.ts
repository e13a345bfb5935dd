/** Says where a text stops being JSON. `JSON.parse` does not name the place of every fault, a trailing comma for one. */

const SPACE = /[ \t\r\n]*/y;
/** All characters but quotes, backslashes and control characters, and escapes. */
const STRING = /"(?:[ !#-[\]-\uffff]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const SCALAR = new RegExp(`${STRING.source}|-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null`, 'y');
const [COMMA, COLON, OPEN_OBJECT, CLOSE_OBJECT, OPEN_LIST, CLOSE_LIST] = [/,/y, /:/y, /\{/y, /\}/y, /\[/y, /\]/y];

/** Deeper than any configuration; what is nested further is not looked into. */
const DEPTH_MAX = 1_000;

/** Such as `line 4, column 3: unexpected "]"`, or null when the text is JSON. */
export function describeJsonFault(text: string): string | null {
  const at = endOfJson(text);
  if (at === null) return null;
  const lines = text.slice(0, at).split('\n');
  const found = text[at] === undefined ? 'the text ends too early' : `unexpected ${JSON.stringify(text[at])}`;
  return `line ${lines.length}, column ${(lines.at(-1)?.length ?? 0) + 1}: ${found}`;
}

/** Where the longest beginning ends that could go on as JSON; null when the whole text is. */
function endOfJson(text: string): number | null {
  let at = 0;
  let depth = 0;
  /** Steps over what the pattern matches here and the white space after it. */
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    SPACE.lastIndex = pattern.lastIndex;
    SPACE.test(text);
    at = SPACE.lastIndex;
    return true;
  };
  const takeItems = (close: RegExp, takeItem: () => boolean): boolean => {
    if (take(close)) return true;
    do if (!takeItem()) return false; while (take(COMMA));
    return take(close);
  };
  const takeMember = (): boolean => take(STRING) && take(COLON) && takeValue();
  const takeValue = (): boolean => {
    if (depth === DEPTH_MAX) return false;
    depth++;
    const isWhole = take(OPEN_OBJECT) ? takeItems(CLOSE_OBJECT, takeMember)
      : take(OPEN_LIST) ? takeItems(CLOSE_LIST, takeValue)
      : take(SCALAR);
    depth--;
    return isWhole;
  };
  take(SPACE);
  return takeValue() && at === text.length ? null : at;
}
