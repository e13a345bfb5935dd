/**
 * The key of the method that `await using` calls. Where the platform has no such symbol, as within Jest 29, it is the one that Babel
 * and esbuild look for then. Law: never `undefined`, which would be a method by that name.
 */
export const asyncDispose: typeof Symbol.asyncDispose =
  (Symbol as { readonly asyncDispose?: typeof Symbol.asyncDispose }).asyncDispose ?? (Symbol.for('Symbol.asyncDispose') as typeof Symbol.asyncDispose);
