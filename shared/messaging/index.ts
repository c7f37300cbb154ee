export type { Mailer } from './mail/mailer.ts';
export { smtpMailer } from './mail/smtp.ts';
export { mailboxHandler } from './mailbox/mailbox.http.ts';
export { type Mailbox, mailboxMailer, mailboxSms, openMailbox } from './mailbox/mailbox.ts';
export {
  type EmailRequest,
  emailAddress,
  emailRequested,
  localeSchema,
  phoneNumber,
  type SmsReport,
  type SmsRequest,
  smsReported,
  smsRequested,
} from './message.events.ts';
export { type MessageJobServices, noteSmsReport, sendEmail, sendSms } from './messages/message.jobs.ts';
export { messageCollection } from './messages/message.schema.ts';
export { createMessageService, type MessageService } from './messages/message.service.ts';
export { messagingEraser } from './messaging.eraser.ts';
export type { SmsSender } from './sms/sms-sender.ts';
export { smsReportOf } from './sms/twilio.report.ts';
export { twilioSms } from './sms/twilio.ts';
export { addressHash, suppressionCollection } from './suppressions/suppression.schema.ts';
export { createSuppressionService, type SuppressionService } from './suppressions/suppression.service.ts';
export { type Branding, brandingSchema } from './templates/branding.ts';
export { loadSandbox, type Sandbox } from './templates/liquid.ts';
export {
  type MessageTemplate,
  templateCollection,
  templateKeySchema,
  templateSchema,
} from './templates/template.schema.ts';
export { createTemplateService, type TemplateService } from './templates/template.service.ts';
export { unconfigured } from './unconfigured.ts';
