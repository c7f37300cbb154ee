/** Loaded where it is first used, and then kept by Node. */
const loadOtp = () => import('otpauth');

/** Seconds of one step (RFC 6238, section 5.2). */
export const period = 30;
/** Steps by which a phone's clock may be off, to either side. */
const drift = 1;

export interface TotpLabel {
  /** The tenant's name. */
  readonly issuer: string;
  /** The account's address. */
  readonly account: string;
}

/** A new secret of 160 bits, in base32, and the URL that an app takes it from (RFC 6238; SHA-1 and six digits, as all apps know). */
export const newTotpSecret = async ({ issuer, account }: TotpLabel): Promise<{ secret: string; uri: string }> => {
  const { Secret, TOTP } = await loadOtp();
  const secret = new Secret({ size: 20 });
  return { secret: secret.base32, uri: new TOTP({ issuer, label: account, secret, period }).toString() };
};

/** The step that a code belongs to, now or one step to either side; undefined where it belongs to none of them. */
export const stepOf = async (secret: string, code: string, now: number): Promise<number | undefined> => {
  const { Secret, TOTP } = await loadOtp();
  const delta = TOTP.validate({
    token: code,
    secret: Secret.fromBase32(secret),
    period,
    timestamp: now,
    window: drift,
  });
  return delta === null ? undefined : TOTP.counter({ period, timestamp: now }) + delta;
};
