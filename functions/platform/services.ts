import {
  brandingSchema,
  createMessageService,
  createTemplateService,
  type MessageJobServices,
  mailboxMailer,
  mailboxSms,
  messageCollection,
  openMailbox,
  smtpMailer,
  suppressionCollection,
  templateCollection,
  twilioSms,
  unconfigured,
} from '#shared/messaging/index.ts';
import type { TimerServices } from '#shared/platform/index.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';

const openMailer = ({ config: { mail, environment }, clock }: Runtime) => {
  if (mail.kind === 'local') return mailboxMailer({ mailbox: openMailbox(mail.mailbox), clock });
  if (mail.url === undefined) return unconfigured('Mail');
  return smtpMailer({ url: mail.url, from: mail.from, requireTls: environment !== 'local' });
};

const openSmsSender = ({ config: { mail, twilio }, clock }: Runtime) => {
  const { accountSid, authToken, from, statusUrl } = twilio;
  if (mail.kind === 'local') return mailboxSms({ mailbox: openMailbox(mail.mailbox), clock });
  if (accountSid === undefined || authToken === undefined || from === undefined) return unconfigured('Twilio');
  return twilioSms({ accountSid, authToken, from, statusUrl, clock });
};

const openMessages = (runtime: Runtime) => {
  const { database, tenants, clock, logger, metrics } = runtime;
  return createMessageService({
    messages: database.tenants(messageCollection),
    suppressions: database.tenants(suppressionCollection),
    templates: createTemplateService({ templates: database.tenants(templateCollection), logger }),
    brandingOf: async (tenant) => brandingSchema.parse({ name: (await tenants.get(tenant)).name }),
    mailer: openMailer(runtime),
    smsSender: openSmsSender(runtime),
    clock,
    logger,
    metrics,
  });
};

export const createServices = (runtime: Runtime): TimerServices & MessageJobServices => {
  const { outbox, database, tenants, makeEvent } = runtime;
  return { outbox, database, tenants, makeEvent, messages: openMessages(runtime) };
};
