import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';

const names = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];
const folders = (process.env.PATH ?? '').split(delimiter);

/** Where a Chromium is, as Debian's package `chromium` puts it; undefined where there is none. */
export const chromiumPath = names.flatMap((name) => folders.map((folder) => join(folder, name))).find(existsSync);

/** Nothing of it is to talk to anybody but the test. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A new profile, which goes with the browser. */
export const launchChromium = (): Promise<Browser> => {
  if (chromiumPath === undefined) throw new Error('There is no Chromium: tests are to skip without `chromiumPath`.');
  return chromium.launch({ executablePath: chromiumPath, headless: true, args });
};

export interface VirtualAuthenticator {
  readonly session: CDPSession;
  readonly id: string;
}

/** A security device inside the browser that keeps passkeys and, if told so, confirms that its owner is there. */
export const addAuthenticator = async (page: Page, isUserVerified: boolean): Promise<VirtualAuthenticator> => {
  const session = await page.context().newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId: id } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      protocol: 'ctap2',
      transport: 'internal',
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified,
      automaticPresenceSimulation: true,
    },
  });
  return { session, id };
};
