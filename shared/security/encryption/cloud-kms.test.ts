import { status } from '@grpc/grpc-js';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { startKmsServer } from '#tests/support/kms-server.ts';
import { cloudKms } from './cloud-kms.ts';
import { crc32c } from './crc32c.ts';
import { keyManagementContract } from './key-management.contract.ts';

const server = await startKmsServer();
const { endpoint, keyName } = server;
const open = (timeout = 10_000) => cloudKms({ keyName, endpoint, timeout });
afterAll(() => server.close());

keyManagementContract('Cloud KMS', open);

describe('Cloud KMS', () => {
  const keys = open();
  const key = Buffer.from('a key of 32 bytes, for a tenant.');
  afterAll(() => keys.close());
  beforeEach(() => {
    server.fail();
    server.calls.encrypt = 0;
  });

  it.each([status.UNAVAILABLE, status.INTERNAL, status.RESOURCE_EXHAUSTED])(
    'is asked again after status %i',
    async (code) => {
      server.fail(code, code);
      const wrapped = await keys.wrap(key, 'a');
      expect(server.calls.encrypt).toBe(3);
      server.fail(code);
      expect(Buffer.from(await keys.unwrap(wrapped, 'a'))).toEqual(key);
    },
  );

  it('is unavailable, in time, when it is silent', async () => {
    server.fail('silent', 'silent', 'silent');
    const hasty = open(400);
    await expect(hasty.wrap(key, 'a')).rejects.toMatchObject({ code: 'unavailable' });
    await hasty.close();
  });

  it('is not believed when an answer was damaged on its way', async () => {
    const wrapped = await keys.wrap(key, 'a');
    server.fail('damaged');
    await expect(keys.wrap(key, 'a')).rejects.toMatchObject({ code: 'unavailable' });
    server.fail('damaged');
    await expect(keys.unwrap(wrapped, 'a')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it.each([status.PERMISSION_DENIED, status.FAILED_PRECONDITION])(
    'is not asked again after status %i',
    async (code) => {
      server.fail(code);
      await expect(keys.wrap(key, 'a')).rejects.toMatchObject({ code: 'internal' });
      expect(server.calls.encrypt).toBe(1);
    },
  );

  it('refuses a key that it does not have', async () => {
    const wrong = cloudKms({ keyName: keyName.replace('tenants', 'others'), endpoint });
    await expect(wrong.wrap(key, 'a')).rejects.toMatchObject({ code: 'internal' });
    await wrong.close();
  });
});

// RFC 3720, appendix B.4.
it.each([
  ['32 zeros', Buffer.alloc(32), 0x8a9136aa],
  ['32 ones', Buffer.alloc(32, 0xff), 0x62a8ab43],
  ['0 to 31', Buffer.from(Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e],
])('has the CRC-32C of %s', (_name, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
});
