import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Mailbox, MailboxEntry } from './mailbox.ts';

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => `&#${character.codePointAt(0) ?? 0};`);

const style = `
:root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 15%, transparent); }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 54rem; margin: 0 auto; padding: 3rem 1.25rem; }
h1 { font-size: 1.8rem; letter-spacing: -.02em; margin: 0 0 1.6rem; }
a { color: inherit; }
ul { list-style: none; margin: 0; padding: 0; }
li a { display: grid; grid-template-columns: 4.2rem 1fr auto; gap: .2rem 1rem; padding: .8rem 0; text-decoration: none;
  border-top: 1px solid var(--line); }
li a:hover b { text-decoration: underline; }
li b, li span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
li span { grid-column: 2 / -1; opacity: .7; font-size: .9rem; }
time, i { opacity: .6; font-size: .85rem; font-style: normal; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0 0 1.4rem; }
dt { opacity: .6; } dd { margin: 0; overflow-wrap: anywhere; }
iframe, pre { width: 100%; border: 1px solid var(--line); border-radius: .5rem; }
iframe { height: 36rem; background: #fff; }
pre { padding: 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9rem; }
`;
const styleHash = createHash('sha256').update(style).digest('base64');

const page = (title: string, body: string): string => `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title><style>${style}</style>${body}</html>
`;

const titleOf = (entry: MailboxEntry): string => (entry.channel === 'email' ? entry.subject : entry.text);

const row = (path: string, entry: MailboxEntry): string =>
  `<li><a href="${path}/${escapeHtml(entry.id)}"><i>${entry.channel}</i><b>${escapeHtml(titleOf(entry))}</b>` +
  `<time>${escapeHtml(entry.at.slice(0, 19).replace('T', ' '))}</time><span>${escapeHtml(entry.to)}</span></a></li>`;

const listPage = (path: string, entries: readonly MailboxEntry[]): string =>
  page(
    'Mailbox',
    entries.length === 0
      ? '<h1>Mailbox</h1><p>Nothing was sent yet. Messages show up here instead of being sent.</p>'
      : `<h1>Mailbox</h1><ul>${entries.map((entry) => row(path, entry)).join('')}</ul>`,
  );

const facts = (pairs: readonly (readonly [string, string])[]): string =>
  `<dl>${pairs.map(([name, value]) => `<dt>${name}</dt><dd>${escapeHtml(value)}</dd>`).join('')}</dl>`;

const messagePage = (path: string, entry: MailboxEntry): string => {
  const back = `<p><a href="${path}">Mailbox</a></p>`;
  const text = `<pre>${escapeHtml(entry.text)}</pre>`;
  if (entry.channel === 'sms')
    return page(
      'Text message',
      `${back}${facts([
        ['To', entry.to],
        ['At', entry.at],
      ])}${text}`,
    );
  const reply: [string, string][] = entry.replyTo === undefined ? [] : [['Reply to', entry.replyTo]];
  const head = facts([['From', entry.fromName], ['To', entry.to], ...reply, ['At', entry.at]]);
  // Without any permission: no scripts, no forms, an origin of its own. Links open beside the page.
  const frame = `<iframe sandbox="allow-popups" src="${path}/${escapeHtml(entry.id)}/html" title="The message"></iframe>`;
  return page(entry.subject, `${back}<h1>${escapeHtml(entry.subject)}</h1>${head}${frame}<h2>As text</h2>${text}`);
};

const send = (response: ServerResponse, body: string, policy: string): void => {
  response
    .writeHead(200, {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; base-uri 'none'; form-action 'none'; ${policy}`,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    .end(body);
};

export interface MailboxHandlerOptions {
  readonly mailbox: Mailbox;
  /** Where it is mounted: `/mailbox`. */
  readonly path: string;
}

/** Pages that show what would have been sent. For a developer's machine: it asks nobody who they are. */
export const mailboxHandler = ({ mailbox, path }: MailboxHandlerOptions) => {
  const show = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const pathname = (request.url ?? '/').replace(/[?#].*$/s, '');
    const [, id, html] = /^\/(\w+)(\/html)?$/.exec(pathname.slice(path.length)) ?? [];
    const own = `style-src 'sha256-${styleHash}'; frame-src 'self'; frame-ancestors 'none'`;
    if (id === undefined) return send(response, listPage(path, await mailbox.list()), own);
    const entry = await mailbox.get(id);
    if (entry === undefined) {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('There is no such message.\n');
    } else if (html !== undefined && entry.channel === 'email') {
      const framed = "sandbox allow-popups; style-src 'unsafe-inline'; img-src https: data:; frame-ancestors 'self'";
      // Relative to the page's own address links would stay in the frame.
      send(response, entry.html.replace(/<head>/i, '<head><base target="_blank">'), framed);
    } else send(response, messagePage(path, entry), own);
  };
  return (request: IncomingMessage, response: ServerResponse): void => {
    show(request, response).catch(() => response.destroy());
  };
};
