import type { EventOf } from '../../events/define-event.ts';
import type { JobContext } from '../../events/define-job.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { Stored, TenantStore, Transaction } from '../../store/store.ts';
import type { Logger, Metrics } from '../../telemetry/index.ts';
import type { Delivery, SuppressionReason } from '../delivery.ts';
import type { Mailer } from '../mail/mailer.ts';
import type { EmailRequest, SmsReport, SmsRequest } from '../message.events.ts';
import type { SmsSender } from '../sms/sms-sender.ts';
import { addressHash, type Channel, type Suppression } from '../suppressions/suppression.schema.ts';
import type { Branding } from '../templates/branding.ts';
import type { TemplateService } from '../templates/template.service.ts';
import { type Message, type MessageStatus, messageId, messageRetention } from './message.schema.ts';

/** How one run of a job goes on. `last` says that no run comes after it. */
export type Run = Pick<JobContext, 'commit'> & { readonly last: boolean };

export interface MessageService {
  /**
   * Sends what the event asks for, once as far as the protocol lets one know. Fails with `unavailable` when it is to be
   * run again; the repetition has the same Message-ID.
   */
  sendEmail(event: EventOf<EmailRequest>, run: Run): Promise<void>;
  /** As for emails; before a repetition the carrier is asked whether it has the message. */
  sendSms(event: EventOf<SmsRequest>, run: Run): Promise<void>;
  /** Notes what became of a message that was sent. */
  noteReport(event: EventOf<SmsReport>, run: Pick<Run, 'commit'>): Promise<void>;
}

export interface MessageServiceOptions {
  readonly messages: TenantStore<Message>;
  readonly suppressions: TenantStore<Suppression>;
  readonly templates: TemplateService;
  readonly brandingOf: (tenant: string) => Promise<Branding>;
  readonly mailer: Mailer;
  readonly smsSender: SmsSender;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<Metrics, 'counter'>;
}

/** With one of these the carrier has spoken, or nothing is ever to be sent: no run does anything more. */
const settled: ReadonlySet<MessageStatus> = new Set(['sent', 'delivered', 'undelivered', 'suppressed', 'expired']);

type Outcome = Pick<Message, 'status' | 'reason' | 'reference'>;

/** A message on its way through one run. */
interface Task {
  readonly tenant: string;
  readonly id: string;
  readonly channel: Channel;
  readonly event: EventOf<EmailRequest | SmsRequest>;
  readonly run: Run;
  /** Makes all that is to be sent. What fails here has sent nothing. */
  readonly prepare: () => Promise<Send>;
}

/** `repeated` where an earlier attempt may have got through. */
type Send = (repeated: boolean) => Promise<Delivery>;

export const createMessageService = (options: MessageServiceOptions): MessageService => {
  const { messages, suppressions, templates, brandingOf, mailer, smsSender, clock, logger, metrics } = options;
  const outcomes = metrics.counter('messages_total', 'Messages by what became of them.', ['channel', 'outcome']);

  const documentOf = ({ tenant, channel, event }: Task, outcome: Outcome, attempts: number): Message => ({
    channel,
    template: event.data.template,
    locale: event.data.locale,
    recipient: addressHash(tenant, channel, event.data.to),
    attempts,
    eventId: event.id,
    requestedAt: event.time,
    updatedAt: isoTime(clock.now()),
    expiresAt: isoTime(clock.now() + messageRetention),
    ...outcome,
  });

  const suppressWithin = async (transaction: Transaction, message: Message, tenant: string) => {
    const store = suppressions.of(tenant);
    const known = await transaction.get(store, message.recipient);
    return (reason: SuppressionReason): void => {
      if (known !== undefined) return;
      transaction.create(store, message.recipient, { channel: message.channel, reason, at: isoTime(clock.now()) });
    };
  };

  /** The end of a message and of its job, in one transaction. */
  const settle = async (task: Task, outcome: Outcome, attempts: number, suppress?: SuppressionReason) => {
    const { tenant, id, channel, run } = task;
    const store = messages.of(tenant);
    const next = documentOf(task, outcome, attempts);
    await run.commit(async (transaction) => {
      const current = await transaction.get(store, id);
      const suppressRecipient = await suppressWithin(transaction, next, tenant);
      // A carrier's report may be here already, and says more.
      if (current === undefined) transaction.create(store, id, next);
      else if (!settled.has(current.value.status)) transaction.update(store, id, next);
      if (suppress !== undefined) suppressRecipient(suppress);
    });
    outcomes.add({ channel, outcome: outcome.status });
  };

  /** Says before the attempt that there is one, so that whoever comes after a crash knows that it may have got through. */
  const begin = async (task: Task, before: Stored<Message> | undefined): Promise<Stored<Message>> => {
    const store = messages.of(task.tenant);
    const next = documentOf(task, { status: 'sending' }, (before?.value.attempts ?? 0) + 1);
    return before === undefined
      ? store.create(task.id, next)
      : store.update(task.id, next, { revision: before.revision });
  };

  /** After an attempt that has not ended it: another one comes, or none. */
  const giveBack = async (task: Task, begun: Stored<Message>, reason: string, known: boolean): Promise<never> => {
    const status = task.run.last ? 'failed' : known ? 'queued' : 'sending';
    const next = documentOf(task, { status, reason }, begun.value.attempts);
    try {
      await messages.of(task.tenant).update(task.id, next, { revision: begun.revision });
    } catch (error) {
      // A report or another worker came first, and knows better.
      if (!isOmniError(error, 'revision-conflict')) throw error;
    }
    outcomes.add({ channel: task.channel, outcome: status });
    throw new OmniError('unavailable', `The message was not taken: ${reason}.`);
  };

  const attempt = async (task: Task, begun: Stored<Message>, send: Send): Promise<Delivery> => {
    try {
      return await send(begun.value.attempts > 1);
    } catch (error) {
      logger.warn('It is not known whether a message was sent.', { message: task.id, error });
      return giveBack(task, begun, 'unknown-outcome', false);
    }
  };

  const deliver = async (task: Task): Promise<void> => {
    const { tenant, id, channel, event, prepare } = task;
    const before = await messages.of(tenant).get(id);
    if (before !== undefined && (before.value.eventId !== event.id || settled.has(before.value.status))) return;
    const attempts = before?.value.attempts ?? 0;
    const { notAfter, to } = event.data;
    if (notAfter !== undefined && Date.parse(notAfter) <= clock.now()) {
      return settle(task, { status: 'expired' }, attempts);
    }
    const suppressed = await suppressions.of(tenant).get(addressHash(tenant, channel, to));
    if (suppressed !== undefined) {
      return settle(task, { status: 'suppressed', reason: suppressed.value.reason }, attempts);
    }
    const send = await prepare();
    const begun = await begin(task, before);
    const delivery = await attempt(task, begun, send);
    switch (delivery.status) {
      case 'accepted':
        return settle(task, { status: 'sent', reference: delivery.reference }, begun.value.attempts);
      case 'refused':
        return settle(task, { status: 'failed', reason: delivery.reason }, begun.value.attempts, delivery.suppress);
      default:
        return giveBack(task, begun, delivery.reason, true);
    }
  };

  return {
    sendEmail: (event, run) => {
      const { tenant, data } = event;
      const id = messageId(tenant, 'email', data.dedupeKey);
      const prepare = async () => {
        const brand = await brandingOf(tenant);
        const content = await templates.renderEmail(tenant, data, brand);
        const sender = { fromName: brand.name, replyTo: brand.replyTo ?? undefined };
        return () => mailer.send({ id, to: data.to, ...sender, ...content });
      };
      return deliver({ tenant, id, channel: 'email', event, run, prepare });
    },
    sendSms: (event, run) => {
      const { tenant, data } = event;
      const id = messageId(tenant, 'sms', data.dedupeKey);
      const prepare = async () => {
        const text = await templates.renderSms(tenant, data, await brandingOf(tenant));
        return (repeated: boolean) => smsSender.send({ id, tenant, to: data.to, text, repeated });
      };
      return deliver({ tenant, id, channel: 'sms', event, run, prepare });
    },
    noteReport: async ({ tenant, data: { messageId: id, status, reason, suppress } }, { commit }) => {
      const store = messages.of(tenant);
      await commit(async (transaction) => {
        const current = await transaction.get(store, id);
        if (current === undefined || current.value.status === 'delivered') return;
        const suppressRecipient = await suppressWithin(transaction, current.value, tenant);
        const updatedAt = isoTime(clock.now());
        transaction.update(store, id, {
          ...current.value,
          status,
          updatedAt,
          ...(reason === undefined ? {} : { reason }),
        });
        if (suppress !== undefined) suppressRecipient(suppress);
      });
    },
  };
};
