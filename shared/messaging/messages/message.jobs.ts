import { defineJob } from '../../events/define-job.ts';
import { emailRequested, smsReported, smsRequested } from '../message.events.ts';
import type { MessageService } from './message.service.ts';

export interface MessageJobServices {
  readonly messages: MessageService;
}

/** With the bus's growing pauses about an hour: a greylisting server wants some minutes, a restart of one a few more. */
const maxAttempts = 10;

export const sendEmail = defineJob({
  name: 'messaging.send-email',
  on: [emailRequested],
  maxAttempts,
  handle: (event, { commit, attempt }, { messages }: MessageJobServices) =>
    messages.sendEmail(event, { commit, last: attempt >= maxAttempts }),
});

export const sendSms = defineJob({
  name: 'messaging.send-sms',
  on: [smsRequested],
  maxAttempts,
  handle: (event, { commit, attempt }, { messages }: MessageJobServices) =>
    messages.sendSms(event, { commit, last: attempt >= maxAttempts }),
});

export const noteSmsReport = defineJob({
  name: 'messaging.note-sms-report',
  on: [smsReported],
  handle: (event, { commit }, { messages }: MessageJobServices) => messages.noteReport(event, { commit }),
});
