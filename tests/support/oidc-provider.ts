import { createServer } from 'node:http';
import Provider from 'oidc-provider';

export interface OidcServer {
  readonly issuer: string;
  /** Who signs in there next, and what it says of them. */
  become(account: {
    readonly sub: string;
    readonly email?: string;
    readonly email_verified?: boolean;
    readonly name?: string;
  }): void;
  /** Says this in the next ID token instead, under the signature of what it would have said. */
  forge(claims: Readonly<Record<string, unknown>>): void;
  /** Follows an authorization URL as a browser would, consenting; answers with the query it came back with. */
  visit(authorizationUrl: string): Promise<string>;
  close(): Promise<void>;
}

export interface OidcServerOptions {
  readonly redirectUri: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** A certified OpenID provider in this process, which insists on PKCE. */
export const startOidcServer = async ({
  redirectUri,
  clientId,
  clientSecret,
}: OidcServerOptions): Promise<OidcServer> => {
  let account: Parameters<OidcServer['become']>[0] = { sub: 'nobody' };
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [redirectUri],
        token_endpoint_auth_method: 'client_secret_post',
      },
    ],
    pkce: { required: () => true },
    claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['only-for-tests'] },
    interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_context, sub) => ({ accountId: sub, claims: () => ({ ...account, sub }) }),
  });
  let forged: Readonly<Record<string, unknown>> | undefined;
  provider.use(async (context, next) => {
    await next();
    const body: unknown = context.body;
    if (forged === undefined || typeof body !== 'object' || body === null || !('id_token' in body)) return;
    const [header = '', payload = '', signature = ''] = String(body.id_token).split('.');
    const claims: object = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const text = Buffer.from(JSON.stringify({ ...claims, ...forged })).toString('base64url');
    context.body = { ...body, id_token: `${header}.${text}.${signature}` };
    forged = undefined;
  });
  const callback = provider.callback();
  server.on('request', (incoming, outgoing) => {
    if (incoming.url?.startsWith('/interaction/') !== true) {
      void callback(incoming, outgoing);
      return;
    }
    void (async () => {
      const { params } = await provider.interactionDetails(incoming, outgoing);
      const grant = new provider.Grant({ accountId: account.sub, clientId });
      grant.addOIDCScope(String(params.scope));
      const consent = { grantId: await grant.save() };
      await provider.interactionFinished(incoming, outgoing, { login: { accountId: account.sub }, consent });
    })();
  });

  return {
    issuer,
    become: (next) => {
      account = next;
    },
    forge: (claims) => {
      forged = claims;
    },
    visit: async (authorizationUrl) => {
      const cookies = new Map<string, string>();
      for (let url = authorizationUrl; ; ) {
        if (url.startsWith(redirectUri)) return new URL(url).search.slice(1);
        const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
        const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
        for (const line of response.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          cookies.set(name, value);
        }
        const location = response.headers.get('location');
        if (location === null) throw new Error(`The provider answered ${response.status}: ${await response.text()}`);
        url = new URL(location, url).href;
      }
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
