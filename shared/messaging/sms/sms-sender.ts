import type { Delivery } from '../delivery.ts';

/** One text message. */
export interface Sms {
  /** The same on every attempt. */
  readonly id: string;
  /** The tenant on whose behalf, which a later status report names again. */
  readonly tenant: string;
  /** E.164. */
  readonly to: string;
  readonly text: string;
  /** An earlier attempt may have got through. The adapter looks before it sends, where it can. */
  readonly repeated: boolean;
}

export interface SmsSender {
  /** Throws `unavailable` where it is not known what became of the message. */
  send(sms: Sms): Promise<Delivery>;
}
