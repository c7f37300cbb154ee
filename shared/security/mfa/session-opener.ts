import type { Origin } from '../identity/identity.events.ts';
import type { Writes } from '../identity/links.ts';
import type { Method } from '../sessions/session.schema.ts';
import type { Sessions } from '../sessions/session.service.ts';
import type { MfaSignIn } from './challenge.schema.ts';
import type { Asked } from './judge.ts';
import type { TrustedDevices } from './trusted-device.service.ts';

export interface OpenRequest {
  /** Whether the device is not to be asked again for a while. */
  readonly trustDevice: boolean;
  readonly device: Origin;
}

/** Opens the session that a challenge was about, together with what `write` writes. */
export type OpenSession = (
  asked: Asked,
  method: Method,
  request: OpenRequest,
  write: Writes,
) => Promise<Extract<MfaSignIn, { status: 'complete' }>>;

export interface OpenerOptions {
  readonly trusted: Pick<TrustedDevices, 'trust'>;
  readonly sessions: Pick<Sessions, 'open'>;
}

export const sessionOpener =
  ({ trusted, sessions }: OpenerOptions): OpenSession =>
  async ({ tenant, user, challenge }, method, { trustDevice, device }, write) => {
    const trust = trustDevice ? await trusted.trust(tenant, user, device) : undefined;
    const proof = { methods: [...challenge.value.shown, method], device, secondFactor: true };
    const tokens = await sessions.open(tenant, user, proof, (transaction) => {
      write(transaction);
      trust?.write(transaction);
    });
    return { status: 'complete', ...tokens, ...(trust === undefined ? {} : { deviceToken: trust.token }) };
  };
