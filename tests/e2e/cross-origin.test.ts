import { once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { signInResultSchema, userViewSchema } from '#shared/security/index.ts';
import { authWorld, base, goodPassword } from '#tests/support/auth.ts';
import { chromiumPath, launchChromium } from '#tests/support/chromium.ts';
import { testRuntime } from '#tests/support/runtime.ts';

/** A tenant's web app, which is not served from where the API is. */
const page = `<!doctype html><title>app</title><script>
const call = async ({ url, token, body }) => {
  const headers = { ...(body ? { 'content-type': 'application/json' } : {}), ...(token ? { authorization: 'Bearer ' + token } : {}) };
  const sent = body ? { method: 'POST', body: JSON.stringify(body) } : {};
  try {
    const answer = await fetch(url, { ...sent, headers });
    return { status: answer.status, challenge: answer.headers.get('www-authenticate'), body: await answer.json() };
  } catch (error) {
    return { status: 0, challenge: null, body: String(error) };
  }
};
</script>`;

const answer = z.object({ status: z.int(), challenge: z.string().nullable(), body: z.unknown() });

describe.skipIf(chromiumPath === undefined)(
  'a web app of another origin in a real browser (skipped where there is no chromium)',
  async () => {
    const runtime = await testRuntime();
    const { app, tenant, person, post, tokenTo } = authWorld(runtime);
    const listen = getRequestListener(app.fetch);
    const server = createServer((incoming, response) => {
      if (incoming.url === '/page') response.setHeader('content-type', 'text/html').end(page);
      else void listen(incoming, response);
    });
    const credentials = { tenant: 'acme', email: 'ada@example.com', password: goodPassword };
    let [api, origin, stranger] = ['', '', ''];
    let browser: Browser;

    beforeAll(async () => {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('There is no port.');
      api = `http://127.0.0.1:${address.port}`;
      origin = `http://localhost:${address.port}`;
      stranger = `http://stranger.localhost:${address.port}`;
      browser = await launchChromium();
      await runtime.tenants.ensure('acme', { name: 'acme', settings: { corsOrigins: [origin] } });
      await tenant('acme');
      await post('/sign-up', credentials);
      await post('/email/verify', { token: await tokenTo(credentials.email), password: goodPassword });
    });
    afterAll(async () => {
      await browser.close();
      server.close();
    });

    const open = async (from: string): Promise<Page> => {
      const opened = await (await browser.newContext()).newPage();
      await opened.goto(`${from}/page`);
      return opened;
    };
    const call = async (on: Page, path: string, sent: { readonly token?: string; readonly body?: object } = {}) =>
      answer.parse(await on.evaluate(`call(${JSON.stringify({ url: api + base + path, ...sent })})`));

    it('signs somebody in, calls for them, and reads why it is refused', async () => {
      const opened = await open(origin);
      const wrong = await call(opened, '/sign-in', { body: { ...credentials, password: 'not-the-right-one' } });
      expect([wrong.status, problemSchema.parse(wrong.body).code]).toEqual([401, 'unauthenticated']);

      const signedIn = signInResultSchema.parse((await call(opened, '/sign-in', { body: credentials })).body);
      if (signedIn.status !== 'complete') throw new Error('A second factor is asked for.');
      const me = await call(opened, '/me', { token: signedIn.accessToken });
      expect(userViewSchema.parse(me.body)).toMatchObject({ email: 'ada@example.com' });

      const expired = await call(opened, '/me', { token: `${signedIn.accessToken}x` });
      expect([expired.status, expired.challenge]).toEqual([401, 'Bearer realm="omni"']);
    });

    it('that the tenant does not name reads nothing of what somebody is let in for', async () => {
      const opened = await open(stranger);
      const { accessToken } = await person('acme', 'grace@example.com');
      expect(await call(opened, '/me', { token: accessToken })).toMatchObject({ status: 0 });
    });
  },
);
