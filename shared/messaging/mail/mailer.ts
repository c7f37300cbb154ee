import type { Delivery } from '../delivery.ts';

/** One email to one recipient. No field but the bodies may have line breaks. */
export interface Email {
  /** The left part of its Message-ID: the same on every attempt, so that a repeated one is known for what it is. */
  readonly id: string;
  readonly to: string;
  /** What the sender is called. Its address is the platform's. */
  readonly fromName: string;
  readonly replyTo?: string | undefined;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

export interface Mailer {
  /** Throws `unavailable` where it is not known what became of the message. */
  send(email: Email): Promise<Delivery>;
}
