/** A decoded form: text, lists and maps, as Stripe's `a[b][0]=c` nests them. */
export type FormValue = string | FormValue[] | { [key: string]: FormValue };

const partsOf = (name: string): string[] => {
  const [, head = '', rest = ''] = /^([^[]+)((?:\[[^\]]*\])*)$/.exec(name) ?? [];
  if (head === '') throw new Error(`Invalid form field ${name}.`);
  return [head, ...[...rest.matchAll(/\[([^\]]*)\]/g)].map(([, part = '']) => part)];
};

const isMap = (value: FormValue | undefined): value is { [key: string]: FormValue } =>
  typeof value === 'object' && !Array.isArray(value);

/** Lists are collected as maps with whole numbers for keys, and `[]` for the next one. */
const place = (into: { [key: string]: FormValue }, [head = '', ...rest]: readonly string[], value: string): void => {
  const key = head === '' ? String(Object.keys(into).length) : head;
  if (rest.length === 0) {
    into[key] = value;
    return;
  }
  const inner = into[key];
  const child = isMap(inner) ? inner : {};
  into[key] = child;
  place(child, rest, value);
};

const listed = (value: FormValue): FormValue => {
  if (!isMap(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, listed(item)] as const);
  const isList = entries.length > 0 && entries.every(([key], index) => key === String(index));
  return isList ? entries.map(([, item]) => item) : Object.fromEntries(entries);
};

/** https://docs.stripe.com/api: form-encoded requests with nested brackets. */
export const decodeForm = (text: string): { [key: string]: FormValue } => {
  const root: { [key: string]: FormValue } = {};
  for (const [name, value] of new URLSearchParams(text)) place(root, partsOf(name), value);
  return Object.fromEntries(Object.entries(root).map(([key, value]) => [key, listed(value)]));
};
