import { describe, expect, it } from 'vitest';
import type { Sms, SmsSender } from './sms-sender.ts';

export interface SmsHarness {
  readonly sender: SmsSender;
  /** All that arrived, in any order. */
  readonly arrived: () => Promise<readonly { readonly to: string; readonly text: string }[]>;
}

let last = 0;
/** A text message that nobody else sends. */
export const someSms = (change: Partial<Sms> = {}): Sms => {
  last += 1;
  return {
    id: `msg_${last}`,
    tenant: 'acme',
    to: '+4915112345678',
    text: `${100_000 + last} is your code.`,
    repeated: false,
    ...change,
  };
};

/** What every sender of text messages does. */
export const smsSenderContract = (name: string, start: () => Promise<SmsHarness>): void => {
  describe(`the SMS contract: ${name}`, async () => {
    const { sender, arrived } = await start();
    const copies = async (text: string) => (await arrived()).filter((sms) => sms.text === text);

    it('delivers a message as it is', async () => {
      const sms = someSms({ text: 'Grüße & 日本 = 100 %\n+1' });
      expect(await sender.send(sms)).toMatchObject({ status: 'accepted' });
      expect(await copies(sms.text)).toMatchObject([{ to: sms.to, text: sms.text }]);
    });

    it('delivers a message that is repeated once, where the first attempt got through', async () => {
      const sms = someSms();
      const first = await sender.send(sms);
      expect(await sender.send({ ...sms, repeated: true })).toEqual(first);
      expect(await copies(sms.text)).toHaveLength(1);
    });

    it('delivers a message that is repeated, where the first attempt did not get through', async () => {
      const sms = someSms({ repeated: true });
      await sender.send(sms);
      expect(await copies(sms.text)).toHaveLength(1);
    });

    it('delivers twenty at once', async () => {
      const all = Array.from({ length: 20 }, () => someSms());
      await Promise.all(all.map((sms) => sender.send(sms)));
      for (const { text } of all) expect(await copies(text)).toHaveLength(1);
    });
  });
};
