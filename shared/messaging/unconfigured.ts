import { OmniError } from '../kernel/errors.ts';
import type { Mailer } from './mail/mailer.ts';
import type { SmsSender } from './sms/sms-sender.ts';

/** Stands in where an outside system is not configured: messages wait with their jobs, and become dead letters. */
export const unconfigured = (what: string): Mailer & SmsSender => ({
  send: async () => {
    throw new OmniError('unavailable', `${what} is not configured.`);
  },
});
