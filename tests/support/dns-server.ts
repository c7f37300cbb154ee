import { createSocket } from 'node:dgram';
import { decode, encode } from 'dns-packet';

export interface DnsServer {
  /** `127.0.0.1:40053`. */
  readonly address: string;
  /** The TXT records of a name; each text is cut into strings of at most 255 bytes, as on the wire. */
  set(name: string, texts: readonly string[]): void;
  /** How it answers from now on. */
  behave(how: 'well' | 'refused' | 'silent'): void;
  readonly questions: readonly string[];
  close(): Promise<void>;
}

const noSuchName = 3;
const refused = 5;

const chunks = (text: string): string[] => text.match(/.{1,255}/gs) ?? [''];

/** An authoritative DNS server over UDP (RFC 1035) that knows TXT records. */
export const startDnsServer = async (): Promise<DnsServer> => {
  const records = new Map<string, readonly string[]>();
  const questions: string[] = [];
  let how: Parameters<DnsServer['behave']>[0] = 'well';
  const socket = createSocket('udp4');
  socket.on('message', (message, { port, address }) => {
    const query = decode(message);
    const [question] = query.questions ?? [];
    if (how === 'silent' || question === undefined) return;
    // Resolvers may mix upper and lower case to make forging harder.
    const name = question.name.toLowerCase();
    questions.push(`${question.type} ${name}`);
    const texts = question.type === 'TXT' ? records.get(name) : undefined;
    const code = how === 'refused' ? refused : texts === undefined ? noSuchName : 0;
    const answer = encode({
      type: 'response',
      id: query.id ?? 0,
      // Authoritative answer.
      flags: 0x04_00 | code,
      questions: [question],
      answers: (code === 0 ? (texts ?? []) : []).map((text) => ({
        type: 'TXT',
        name: question.name,
        ttl: 1,
        data: chunks(text),
      })),
    });
    socket.send(answer, port, address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${socket.address().port}`,
    set: (name, texts) => records.set(name, texts),
    behave: (next) => {
      how = next;
    },
    questions,
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
};
