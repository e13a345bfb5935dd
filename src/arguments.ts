/** What callers without types give, looked at before it is used. */
import { visibleJson } from './visible';

/** Above all null, and a bare value in place of a member, are no objects. */
export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** A value in an error message. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return visibleJson(value);
  if (typeof value === 'function') return 'a function';
  return isObject(value) ? 'an object' : String(value);
}
