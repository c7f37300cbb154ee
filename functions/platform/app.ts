import {
  type MessageJobServices,
  messageCollection,
  noteSmsReport,
  sendEmail,
  sendSms,
  suppressionCollection,
  templateCollection,
} from '#shared/messaging/index.ts';
import {
  dailyDigest,
  fanOutDigest,
  outboxSweep,
  startDigest,
  sweepOutbox,
  type TimerServices,
} from '#shared/platform/index.ts';
import { defineFunction } from '#shared/runtime/function.ts';
import { groundCollections } from '#shared/runtime/runtime.ts';

export const platform = defineFunction<TimerServices & MessageJobServices>({
  name: 'platform',
  paths: [],
  routes: () => [],
  jobs: [sweepOutbox, startDigest, fanOutDigest, sendEmail, sendSms, noteSmsReport],
  schedules: [outboxSweep, dailyDigest],
  collections: [...groundCollections, messageCollection, suppressionCollection, templateCollection],
  secrets: ['SMTP_URL', 'TWILIO_AUTH_TOKEN'],
});
