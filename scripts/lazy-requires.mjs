// Makes the modules of a bundle load when they are first used, as Metro's `inlineRequires` does: `const a = require('b')` at the
// top of a CommonJS module becomes an object whose `$` requires b once, and each `a` becomes `a.$`. Law: only for modules that do
// not count on being loaded early; a name that means something else anywhere in its file is left alone, and so is all that is no
// such line.
import ts from 'typescript';

/** @param text what tsc made of a module, or what looks like that */
export function withLazyRequires(text) {
  const source = ts.createSourceFile('module.js', text, ts.ScriptTarget.ES2022, true, ts.ScriptKind.JS);
  const required = new Map(source.statements.flatMap((statement) => requireIn(statement).map((found) => [found.name.text, found])));
  const visit = (node) => {
    const found = ts.isIdentifier(node) ? required.get(node.text) : undefined;
    if (found !== undefined && node !== found.name && !isKey(node)) {
      if (isUse(node)) found.uses.push(node);
      else required.delete(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  const edits = [...required].flatMap(([name, { declaration, call, uses }]) => [
    { start: declaration.getStart(), end: declaration.end, text: `${name} = { get $() { const value = ${call}; Object.defineProperty(this, '$', { value }); return value; } }` },
    ...uses.map((use) => ({ start: use.end, end: use.end, text: '.$' })),
  ]);
  return edits.sort((a, b) => b.start - a.start).reduce((edited, edit) => edited.slice(0, edit.start) + edit.text + edited.slice(edit.end), text);
}

/** `const name = require('…')`, and nothing else in the statement. */
function requireIn(statement) {
  if (!ts.isVariableStatement(statement) || (statement.declarationList.flags & ts.NodeFlags.Const) === 0) return [];
  const [declaration, ...others] = statement.declarationList.declarations;
  const { name, initializer } = declaration;
  const isRequire = initializer !== undefined && ts.isCallExpression(initializer) && ts.isIdentifier(initializer.expression) && initializer.expression.text === 'require';
  return others.length === 0 && isRequire && ts.isIdentifier(name) ? [{ name, declaration, call: initializer.getText(), uses: [] }] : [];
}

/** A name behind a dot or before a colon says nothing of a variable. */
function isKey(node) {
  const { parent } = node;
  const hasName = ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent) || ts.isMethodDeclaration(parent) || ts.isAccessor(parent) || ts.isPropertyDeclaration(parent);
  return hasName && parent.name === node;
}

/** `name.property`: what else a name may be is rare, and is left as it is. */
function isUse(node) {
  return ts.isPropertyAccessExpression(node.parent) && node.parent.expression === node;
}
