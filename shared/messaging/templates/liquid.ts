import type { Liquid, Template } from 'liquidjs';
import { OmniError } from '../../kernel/errors.ts';

/** A template that was parsed and found to use nothing that there isn't. */
export interface Compiled {
  /** Fails with `invalid-request` when it costs too much or fails in itself. */
  render(data: Readonly<Record<string, unknown>>): string;
}

export interface Sandbox {
  /**
   * Fails with `invalid-request`, which says what is wrong: no Liquid, a tag, filter or variable that there isn't.
   * Variables are paths such as `brand.name`.
   */
  compile(source: string, output: 'html' | 'text', variables: ReadonlySet<string>): Compiled;
}

/** Characters of one source, and of what is made of it. */
const maxSource = 100_000;
const maxOutput = 300_000;

/**
 * All that a template can do. No loops, no variables of its own, no other files: messages have no lists, and what can't
 * be said can't be abused. `raw` the filter, which undoes escaping, is not there either.
 */
const tags = new Set(['if', 'unless', 'case', 'comment', '#', 'raw']);
const filters = new Set(['default', 'upcase', 'downcase', 'capitalize', 'strip', 'truncate', 'append', 'prepend']);

const formatTime = (value: unknown, locale: unknown): string => {
  const format = new Intl.DateTimeFormat(String(locale), { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' });
  return `${format.format(new Date(String(value)))} UTC`;
};

const confine = (engine: Liquid): Liquid => {
  for (const name of Object.keys(engine.tags)) if (!tags.has(name)) delete engine.tags[name];
  for (const name of Object.keys(engine.filters)) if (!filters.has(name)) engine.unregisterFilter(name);
  engine.registerFilter('time', formatTime);
  return engine;
};

const refusal = (error: unknown): OmniError =>
  new OmniError('invalid-request', `The template fails: ${error instanceof Error ? error.message : 'unknown'}`, {
    cause: error,
  });

/** Liquid (https://shopify.github.io/liquid/) without files, prototypes, loops and unbounded work. */
export const loadSandbox = async (): Promise<Sandbox> => {
  const { Liquid: Engine } = await import('liquidjs');
  const engineFor = (output: 'html' | 'text') =>
    confine(
      new Engine({
        templates: {},
        strictFilters: true,
        strictVariables: true,
        lenientIf: true,
        ownPropertyOnly: true,
        parseLimit: maxSource,
        renderLimit: 200,
        memoryLimit: maxOutput,
        ...(output === 'html' ? { outputEscape: 'escape' } : {}),
      }),
    );
  const engines = { html: engineFor('html'), text: engineFor('text') };

  const parse = (engine: Liquid, source: string, variables: ReadonlySet<string>): Template[] => {
    try {
      const parsed = engine.parse(source);
      const unknown = engine.globalFullVariablesSync(parsed).filter((path) => !variables.has(path));
      if (unknown.length > 0) throw new Error(`there is no variable ${unknown.join(', ')}`);
      return parsed;
    } catch (error) {
      throw refusal(error);
    }
  };

  return {
    compile: (source, output, variables) => {
      const engine = engines[output];
      const parsed = parse(engine, source, variables);
      return {
        render: (data) => {
          try {
            const text: unknown = engine.renderSync(parsed, data, { templateLimit: 5_000 });
            return String(text).slice(0, maxOutput);
          } catch (error) {
            throw refusal(error);
          }
        },
      };
    },
  };
};
