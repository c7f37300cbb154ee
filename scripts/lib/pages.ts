import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Target } from './front.ts';
import type { Manifest } from './manifest.ts';

const swaggerUi = dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`);

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 15%, transparent); }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 54rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 2.2rem; letter-spacing: -.03em; margin: 0; }
h2 { font-size: 1.05rem; margin: 2.4rem 0 .6rem; }
p { margin: .4rem 0 1.6rem; opacity: .75; }
nav a { display: inline-block; padding: .45rem .9rem; margin: 0 .4rem .4rem 0; border: 1px solid var(--line);
  border-radius: .5rem; text-decoration: none; color: inherit; }
nav a:hover { border-color: currentColor; }
pre { padding: 1rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; font-size: .85rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
td, th { text-align: left; padding: .45rem .8rem .45rem 0; border-top: 1px solid var(--line); vertical-align: top; }
code { font-size: .9em; }
`;

const rows = (cells: readonly (readonly string[])[]): string =>
  cells.map((row) => `<tr>${row.map((cell) => `<td><code>${escapeHtml(cell)}</code></td>`).join('')}</tr>`).join('');

/** Without the key: a page is shown to whoever can open it, the terminal and `.omni/dev.json` only to their owner. */
const indexPage = ({ functions }: Manifest, request: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Omni</title><style>${style}</style>
<h1>Omni</h1>
<p>Every function behind one port, on this machine.</p>
<nav><a href="/docs">API reference</a><a href="/openapi.json">OpenAPI</a><a href="/mailbox">Mailbox</a><a href="/healthz">Health</a><a href="/readyz">Readiness</a></nav>
<h2>A first request</h2>
<pre>${escapeHtml(request)}</pre>
<h2>Functions</h2>
<table><tr><th>Function<th>Paths</tr>${rows(functions.map(({ name, paths }) => [name, paths.join(' ')]))}</table>
<h2>Jobs</h2>
<table><tr><th>Job<th>Takes</tr>${rows(functions.flatMap(({ jobs }) => jobs.map((job) => [job.name, job.eventTypes.join(' ')])))}</table>
<h2>Timers</h2>
<table><tr><th>Schedule<th>Times</tr>${rows(functions.flatMap(({ schedules }) => schedules.map(({ name, cron, timeZone }) => [name, `${cron} ${timeZone}`])))}</table>
</html>
`;

const docsPage = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Omni API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css"><link rel="icon" href="/docs/favicon-32x32.png">
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script><script src="/docs/init.js"></script>
</html>
`;

const docsScript = `SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui', deepLinking: true, persistAuthorization: true });\n`;

const send = (response: ServerResponse, type: string, body: string, policy: string): void => {
  response
    .writeHead(200, {
      'content-type': `${type}; charset=utf-8`,
      'content-security-policy': `default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ${policy}`,
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    })
    .end(body);
};

const assets: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
};

const sendAsset =
  (name: string, type: string): Target =>
  (_request, response) => {
    response.writeHead(200, { 'content-type': type, 'cache-control': 'max-age=3600' });
    createReadStream(join(swaggerUi, name)).pipe(response);
  };

export interface PagesOptions {
  readonly manifest: Manifest;
  /** A command that makes a first request. */
  readonly request: string;
  /** The joined OpenAPI document, as JSON text. */
  readonly openApi: () => Promise<string>;
}

/** What the starter serves itself, by path: an index, the API reference (nothing of it from elsewhere), its document. */
export const createPages = ({ manifest, request, openApi }: PagesOptions): ReadonlyMap<string, Target> => {
  const styleHash = createHash('sha256').update(style).digest('base64');
  const index = indexPage(manifest, request);
  let document: Promise<string> | undefined;
  const sendDocument = async (response: ServerResponse): Promise<void> => {
    document ??= openApi();
    send(response, 'application/json', await document, '');
  };
  return new Map<string, Target>([
    ['/', (_request, response) => send(response, 'text/html', index, `style-src 'sha256-${styleHash}'`)],
    [
      '/docs',
      (_request, response) =>
        // Swagger UI sets styles on its elements, and draws its icons from data URLs.
        send(
          response,
          'text/html',
          docsPage,
          "script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'",
        ),
    ],
    ['/docs/init.js', (_request, response) => send(response, 'text/javascript', docsScript, '')],
    ...Object.entries(assets).map(([name, type]): [string, Target] => [`/docs/${name}`, sendAsset(name, type)]),
    [
      '/openapi.json',
      (_request, response) => {
        sendDocument(response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
      },
    ],
  ]);
};
