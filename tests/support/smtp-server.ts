import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** A mail as it came over the wire. */
export interface ReceivedMail {
  readonly from: string;
  readonly to: readonly string[];
  readonly secure: boolean;
  /** By lower-case name, unfolded and decoded. A name that occurs twice is refused. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly html: string;
  readonly source: string;
}

/** What the server does with the next message. */
export type SmtpBehaviour =
  | { readonly at: 'mail' | 'rcpt' | 'data'; readonly code: number; readonly message: string }
  /** Takes the message, and never answers. */
  | 'stall'
  /** Reads the message, and breaks the connection off. */
  | 'drop'
  /** Keeps the message, and breaks the connection off before it says so. */
  | 'keep-and-drop';

export interface TestSmtpServer {
  readonly port: number;
  readonly received: readonly ReceivedMail[];
  /** Connections so far. */
  readonly connections: () => number;
  behave(...next: SmtpBehaviour[]): void;
  stop(): Promise<void>;
}

export interface TestSmtpServerOptions {
  readonly startTls?: boolean;
  readonly login?: { readonly user: string; readonly password: string };
}

const decodeWords = (text: string): string =>
  text
    .replace(/\?=\s+=\?/g, '?==?')
    .replace(/=\?utf-8\?([qb])\?([^?]*)\?=/gi, (_word, kind: string, data: string) =>
      kind.toLowerCase() === 'b' ? Buffer.from(data, 'base64').toString() : decodeQuoted(data.replaceAll('_', ' ')),
    );

const decodeQuoted = (text: string): string =>
  Buffer.from(
    text
      .replace(/=\r?\n/g, '')
      .replace(/=([0-9A-F]{2})/gi, (_code, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  ).toString();

const splitHead = (source: string): readonly [Record<string, string>, string] => {
  const end = source.indexOf('\r\n\r\n');
  const headers: Record<string, string> = {};
  for (const line of source
    .slice(0, end)
    .replace(/\r\n[ \t]+/g, ' ')
    .split('\r\n')) {
    const name = line.slice(0, line.indexOf(':')).toLowerCase();
    if (name in headers) throw new Error(`The header ${name} occurs twice.`);
    headers[name] = decodeWords(line.slice(line.indexOf(':') + 1).trim());
  }
  return [headers, source.slice(end + 4)];
};

const bodiesOf = (source: string): { text: string; html: string } => {
  const [head, body] = splitHead(source);
  const boundary = /boundary="([^"]+)"/.exec(head['content-type'] ?? '')?.[1] ?? '';
  const bodies = { text: '', html: '' };
  for (const part of body.split(`--${boundary}`).slice(1, -1)) {
    const [headers, raw] = splitHead(part.replace(/^\r\n/, ''));
    const encoding = headers['content-transfer-encoding'];
    const text =
      encoding === 'base64'
        ? Buffer.from(raw, 'base64').toString()
        : encoding === 'quoted-printable'
          ? decodeQuoted(raw)
          : raw;
    bodies[headers['content-type']?.startsWith('text/html') ? 'html' : 'text'] = text.replaceAll('\r\n', '\n').trim();
  }
  return bodies;
};

const refusal = ({ code, message }: { code: number; message: string }): Error =>
  Object.assign(new Error(message), { responseCode: code });

/** A real SMTP server on a free port, which can be told to refuse, to stall and to break off. */
export const startSmtpServer = async ({
  startTls = false,
  login,
}: TestSmtpServerOptions = {}): Promise<TestSmtpServer> => {
  const received: ReceivedMail[] = [];
  const behaviours: SmtpBehaviour[] = [];
  let connections = 0;
  const refuses = (at: 'mail' | 'rcpt' | 'data') => {
    const [next] = behaviours;
    if (typeof next !== 'object' || next.at !== at) return undefined;
    behaviours.shift();
    return refusal(next);
  };
  const keep = (source: string, { envelope: { mailFrom, rcptTo }, secure }: SMTPServerSession): void => {
    const from = mailFrom === false ? '' : mailFrom.address;
    const to = rcptTo.map(({ address }) => address);
    received.push({ from, to, secure, headers: splitHead(source)[0], ...bodiesOf(source), source });
  };
  const take = (source: string, session: SMTPServerSession, done: (error?: Error | null) => void): void => {
    const error = refuses('data');
    if (error !== undefined) {
      done(error);
      return;
    }
    const next = behaviours.shift();
    if (next === undefined || next === 'keep-and-drop') keep(source, session);
    if (next === undefined) done();
    if (next === undefined || next === 'stall') return;
    for (const connection of server.connections) if (connection.session?.id === session.id) connection.close();
  };
  const server = new SMTPServer({
    logger: false,
    closeTimeout: 10,
    hideSTARTTLS: !startTls,
    disabledCommands: [...(startTls ? [] : ['STARTTLS']), ...(login === undefined ? ['AUTH'] : [])],
    allowInsecureAuth: true,
    authOptional: login === undefined,
    onConnect: (_session, done) => {
      connections += 1;
      done();
    },
    onAuth: ({ username, password }, _session, done) => {
      if (username === login?.user && password === login?.password) done(null, { user: username });
      else done(new Error('wrong password'));
    },
    onMailFrom: (_address, _session, done) => done(refuses('mail')),
    onRcptTo: (_address, _session, done) => done(refuses('rcpt')),
    onData: (stream, session, done) => {
      void buffer(stream).then((bytes) => take(bytes.toString(), session, done));
    },
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.server.address();
  const isBound = (value: typeof address): value is AddressInfo => typeof value === 'object' && value !== null;
  if (!isBound(address)) throw new Error('The SMTP server has no port.');
  return {
    port: address.port,
    received,
    connections: () => connections,
    behave: (...next) => {
      behaviours.push(...next);
    },
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
