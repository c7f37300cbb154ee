import { once } from 'node:events';
import { createServer } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { problemSchema } from '#shared/http/problem.ts';
import { passkeyViewSchema, signInResultSchema, userViewSchema } from '#shared/security/index.ts';
import { authWorld, base } from '#tests/support/auth.ts';
import { addAuthenticator, chromiumPath, launchChromium } from '#tests/support/chromium.ts';
import { request, testRuntime } from '#tests/support/runtime.ts';

/** What a web app does: every answer of the API goes to the browser as it is, and the browser's to the API. */
const page = `<!doctype html><title>passkeys</title><script>
const call = async (path, body, token) => {
  const headers = { 'content-type': 'application/json', ...(token ? { authorization: 'Bearer ' + token } : {}) };
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch('${base}' + path, { method: 'POST', headers, ...sent });
  return { status: answer.status, body: await answer.json() };
};
const register = async (token) => {
  const { body: { flow, options } } = await call('/passkeys/registration/options', undefined, token);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const response = (await navigator.credentials.create({ publicKey })).toJSON();
  return call('/passkeys/registration', { flow, name: 'This browser', response }, token);
};
const signIn = async (tenant) => {
  const { body: { flow, options } } = await call('/passkeys/sign-in/options', { tenant });
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const response = (await navigator.credentials.get({ publicKey })).toJSON();
  const sent = { tenant, flow, response };
  return { first: await call('/passkeys/sign-in', sent), again: await call('/passkeys/sign-in', sent) };
};
</script>`;

const answer = z.object({ status: z.int(), body: z.unknown() });
const answers = z.object({ first: answer, again: answer });

describe.skipIf(chromiumPath === undefined)(
  'a passkey in a real browser (skipped where there is no chromium)',
  async () => {
    const runtime = await testRuntime();
    const { app, tenant, person } = authWorld(runtime);
    const listen = getRequestListener(app.fetch);
    const server = createServer((incoming, response) => {
      if (incoming.url === '/page') response.setHeader('content-type', 'text/html').end(page);
      else void listen(incoming, response);
    });
    let origin = '';
    let browser: Browser;

    beforeAll(async () => {
      server.listen(0);
      await once(server, 'listening');
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('There is no port.');
      origin = `http://localhost:${address.port}`;
      browser = await launchChromium();
      for (const id of ['acme', 'rival']) {
        await runtime.tenants.ensure(id, { name: id, settings: { corsOrigins: [origin] } });
        await tenant(id, { passkeys: { rpId: 'localhost', rpName: id, origins: [origin] } });
      }
    });
    afterAll(async () => {
      await browser.close();
      server.close();
    });

    const open = async (isUserVerified = true): Promise<Page> => {
      const opened = await (await browser.newContext()).newPage();
      await opened.goto(`${origin}/page`);
      await addAuthenticator(opened, isUserVerified);
      return opened;
    };
    const run = <T>(on: Page, schema: z.ZodType<T>, name: string, argument: string): Promise<T> =>
      on.evaluate(`${name}(${JSON.stringify(argument)})`).then((value) => schema.parse(value));

    it('is registered, and signs its owner in without a name, once for each challenge', async () => {
      const { accessToken, user } = await person('acme', 'ada@example.com');
      const opened = await open();
      const made = await run(opened, answer, 'register', accessToken);
      expect(made.status).toBe(201);
      expect(passkeyViewSchema.parse(made.body)).toMatchObject({ name: 'This browser', transports: ['internal'] });

      const { first, again } = await run(opened, answers, 'signIn', 'acme');
      expect(first.status).toBe(200);
      const result = signInResultSchema.parse(first.body);
      if (result.status !== 'complete') throw new Error('A second factor is asked for.');
      const me = await request(app, `${base}/me`, { key: result.accessToken });
      expect(userViewSchema.parse(await me.json())).toMatchObject({ id: user, email: 'ada@example.com' });
      expect(again.status).toBe(401);
      expect(problemSchema.parse(again.body).code).toBe('unauthenticated');
    });

    it('signs its owner in again, as its counter has gone on, and in no other tenant', async () => {
      const { accessToken } = await person('acme', 'grace@example.com');
      const opened = await open();
      await run(opened, answer, 'register', accessToken);
      for (let i = 0; i < 2; i += 1) expect((await run(opened, answers, 'signIn', 'acme')).first.status).toBe(200);
      expect((await run(opened, answers, 'signIn', 'rival')).first.status).toBe(401);
    });

    it('is not registered twice in one browser, nor where its owner is not verified', async () => {
      const { accessToken } = await person('acme', 'edsger@example.com');
      const opened = await open();
      await run(opened, answer, 'register', accessToken);
      await expect(run(opened, answer, 'register', accessToken)).rejects.toThrow('InvalidStateError');
      await expect(run(await open(false), answer, 'register', accessToken)).rejects.toThrow('NotAllowedError');
    });
  },
);
