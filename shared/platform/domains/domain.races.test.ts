import { afterAll, describe, expect, it } from 'vitest';
import { createServices } from '#functions/platform/services.ts';
import { systemActor } from '#shared/kernel/actor.ts';
import { startDnsServer } from '#tests/support/dns-server.ts';
import { meanwhile } from '#tests/support/meanwhile.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import { customDomainCollection, domainHostCollection } from './domain.schema.ts';

const dns = await startDnsServer();
afterAll(() => dns.close());
const others = meanwhile(embeddedDriver());
const runtime = await testRuntime({ driver: others.driver, environment: { OMNI_DNS_SERVERS: dns.address } });
const { domains } = createServices(runtime);

/** A claim whose proof is in DNS. */
const provable = async (tenant: string, domain: string) => {
  await runtime.tenants.ensure(tenant, { name: tenant });
  const actor = systemActor(tenant, 'test');
  const { record } = await domains.claim(actor, domain);
  dns.set(record.name, [record.value]);
  return { actor, verify: () => domains.verify(actor, domain), remove: () => domains.remove(actor, domain) };
};
const hostOf = (domain: string) => runtime.database.platform(domainHostCollection).get(domain);
const claimOf = (tenant: string, domain: string) =>
  runtime.database.tenants(customDomainCollection).of(tenant).get(domain);

describe.each(['customDomains', 'domainHosts'])('while %s is read late', (late) => {
  it('a domain that is removed as it is proved leads nowhere, and others can have it', async () => {
    const domain = `removed-${late.toLowerCase()}.example.com`;
    const { verify, remove } = await provable('leaving', domain);
    others.beforeRead(late, verify);
    await remove();
    expect(others.happened()).toBe(true);
    expect(await claimOf('leaving', domain)).toBeUndefined();
    expect(await hostOf(domain)).toBeUndefined();
    const next = await provable('coming', domain);
    expect(await next.verify()).toMatchObject({ status: 'verified' });
  });

  it('a domain that is claimed anew as it is looked at leads to who is told so', async () => {
    const domain = `anew-${late.toLowerCase()}.example.com`;
    const { actor, verify, remove } = await provable('renewing', domain);
    await verify();
    others.beforeRead(late, async () => {
      await remove();
      const { record } = await domains.claim(actor, domain);
      dns.set(record.name, [record.value]);
    });
    const write = await domains.check(actor, domain);
    expect(others.happened()).toBe(true);
    if (write !== undefined) await runtime.database.transaction(write).catch(() => undefined);
    const isVerified = (await claimOf('renewing', domain))?.value.status === 'verified';
    expect((await hostOf(domain)) !== undefined).toBe(isVerified);
    expect(await verify()).toMatchObject({ status: 'verified' });
    expect(await domains.tenantOf(domain)).toBe('renewing');
  });
});
