import { describe, expect, it } from 'vitest';
import { impersonalAudit } from '#tests/support/auditing.ts';
import { dumping } from '#tests/support/dump.ts';
import { countingManagement, encryptedDatabase } from '#tests/support/encryption.ts';
import { testDatabase } from '#tests/support/firestore.ts';
import { systemActor } from '../../kernel/actor.ts';
import { manualClock } from '../../kernel/clock.ts';
import { databaseOn } from '../../store/database.ts';
import { embeddedDriver } from '../../store/embedded.ts';
import type { Database } from '../../store/store.ts';
import { bounded, countGateCollection } from '../access/bounded.ts';
import { secretCollection, secretValueCollection } from './secret.schema.ts';
import { createSecretService } from './secret.service.ts';

const { management } = countingManagement();
const clock = manualClock();
const actor = systemActor('acme', 'test');

const serviceOn = (database: Database) =>
  createSecretService({
    database,
    secrets: database.tenants(secretCollection),
    addOne: bounded(database, database.tenants(countGateCollection)),
    values: database.tenants(secretValueCollection),
    audit: impersonalAudit(database, clock),
    clock,
  });
const setup = () => {
  const driver = dumping(embeddedDriver());
  const { database } = encryptedDatabase((wrap) => databaseOn(driver, { wrap }), { management, clock });
  return { driver, secrets: serviceOn(database) };
};

describe('secrets', () => {
  it('keep their versions, and reveal the newest enabled one', async () => {
    const { secrets } = setup();
    await secrets.create(actor, 'key', 'one');
    await secrets.addVersion(actor, 'key', 'two');
    expect(await secrets.reveal(actor, 'key')).toEqual({ version: 2, value: 'two' });
    expect(await secrets.reveal(actor, 'key', 1)).toEqual({ version: 1, value: 'one' });
    await secrets.setState(actor, 'key', 2, 'disabled');
    expect(await secrets.reveal(actor, 'key')).toEqual({ version: 1, value: 'one' });
    await expect(secrets.reveal(actor, 'key', 2)).rejects.toMatchObject({ code: 'precondition-failed' });
    await secrets.setState(actor, 'key', 2, 'enabled');
    expect(await secrets.reveal(actor, 'key')).toMatchObject({ version: 2 });
  });

  it('are destroyed for good, version by version', async () => {
    const { secrets, driver } = setup();
    await secrets.create(actor, 'key', 'one');
    const view = await secrets.setState(actor, 'key', 1, 'destroyed');
    expect(view.versions).toMatchObject([{ version: 1, state: 'destroyed', destroyedAt: expect.any(String) }]);
    await secrets.setState(actor, 'key', 1, 'destroyed');
    await expect(secrets.setState(actor, 'key', 1, 'enabled')).rejects.toMatchObject({ code: 'shredded' });
    await expect(secrets.reveal(actor, 'key', 1)).rejects.toMatchObject({ code: 'shredded' });
    await expect(secrets.reveal(actor, 'key')).rejects.toMatchObject({ code: 'not-found' });
    expect([...(await driver.dump()).keys()]).not.toContain('tenants/acme/secretValues/key~1');
  });

  it('are listed without values, which are stored encrypted', async () => {
    const { secrets, driver } = setup();
    for (const name of ['b', 'a']) await secrets.create(actor, name, 'a plain value');
    const page = await secrets.list(actor, { limit: 10 });
    expect(page.items.map(({ name }) => name)).toEqual(['a', 'b']);
    expect(JSON.stringify([page, await secrets.get(actor, 'a'), [...(await driver.dump())]])).not.toContain('plain');
  });

  it('are of one tenant, and have one name each', async () => {
    const { secrets } = setup();
    await secrets.create(actor, 'key', 'one');
    await expect(secrets.create(actor, 'key', 'two')).rejects.toMatchObject({ code: 'already-exists' });
    const rival = systemActor('rival', 'test');
    await expect(secrets.get(rival, 'key')).rejects.toMatchObject({ code: 'not-found' });
    await expect(secrets.reveal(rival, 'key', 1)).rejects.toMatchObject({ code: 'not-found' });
    await expect(secrets.setState(actor, 'key', 2, 'disabled')).rejects.toMatchObject({ code: 'not-found' });
  });

  it('lose no version of twenty that are added at once, on Firestore', async () => {
    const { database } = encryptedDatabase((wrap) => testDatabase({ wrap }), { management, clock });
    const secrets = serviceOn(database);
    await secrets.create(actor, 'key', 'value 1');
    const adding = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => secrets.addVersion(actor, 'key', `from ${i}`)),
    );
    const added = adding.flatMap((one) => (one.status === 'fulfilled' ? [one.value.versions[0]?.version] : []));
    expect(added.length).toBeGreaterThan(0);
    expect(new Set(added).size).toBe(added.length);
    expect((await secrets.get(actor, 'key')).versions).toHaveLength(added.length + 1);
    for (const one of adding) {
      if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'revision-conflict' });
    }
  });
});
