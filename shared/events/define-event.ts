import * as z from 'zod';
import type { Clock } from '../kernel/clock.ts';
import { isoTime } from '../kernel/clock.ts';
import type { DomainEvent } from '../kernel/event.ts';
import type { NewId } from '../kernel/ids.ts';

type EventData = Readonly<Record<string, unknown>>;

export interface EventOptions {
  /** Jobs take the events of one subject in order of publication. Costs throughput; no handler may rely on it. */
  readonly ordered?: boolean;
  /** The data holds secrets or personal data. It is kept out of what stores every event, such as the warehouse. */
  readonly confidential?: boolean;
}

/** A type of event and the shape of its data. */
export interface EventType<D extends EventData> extends EventOptions {
  readonly type: string;
  readonly schema: z.ZodType<D>;
}

/** Whether a job that names `pattern` takes events of `type`: all that begin with what is before a final `*`. */
export const matchesType = (pattern: string, type: string): boolean =>
  pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type;

/** An event whose data was parsed by its type's schema. */
export type EventOf<D extends EventData> = DomainEvent & { readonly data: D };

/**
 * `type` is `<domain>.<noun>.<past participle>`: `ai.prediction.made`. One that ends in `*` is a family, `security.*`: a
 * job can take it, and nobody can emit it.
 */
export const defineEvent = <D extends EventData>(
  type: string,
  schema: z.ZodType<D>,
  options: EventOptions = {},
): EventType<D> => ({
  type,
  schema,
  ...options,
});

export interface EventInput<D extends EventData> {
  readonly tenant: string;
  readonly subject: string;
  readonly data: D;
  /** Only where the same fact must always have the same event, however often it is found out. */
  readonly id?: string;
}

/** Makes an event, ready for a transaction's `emit`. */
export type MakeEvent = <D extends EventData>(type: EventType<D>, input: EventInput<D>) => DomainEvent;

export interface EventSource {
  /** Such as `omni/ai`. */
  readonly source: string;
  readonly clock: Clock;
  readonly newId: NewId;
  /** W3C trace context of what is running now. */
  readonly traceparent?: () => string | undefined;
}

export const eventMaker =
  ({ source, clock, newId, traceparent }: EventSource): MakeEvent =>
  (type, input) => {
    const parent = traceparent?.();
    return {
      specversion: '1.0',
      id: input.id ?? newId('evt'),
      source,
      type: type.type,
      subject: input.subject,
      time: isoTime(clock.now()),
      tenant: input.tenant,
      datacontenttype: 'application/json',
      ...(parent === undefined ? {} : { traceparent: parent }),
      ...(type.ordered === true ? { partitionkey: input.subject } : {}),
      ...(type.confidential === true ? { dataclassification: 'confidential' as const } : {}),
      data: type.schema.parse(input.data),
    };
  };

/** The envelope as it crosses the bus. Extension attributes of other producers are dropped. */
export const domainEventSchema = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1).max(200),
  source: z.string().min(1).max(200),
  type: z.string().min(1).max(200),
  subject: z.string().min(1).max(300),
  time: z.iso.datetime(),
  tenant: z.string().min(1).max(128),
  datacontenttype: z.literal('application/json'),
  traceparent: z.string().max(100).exactOptional(),
  partitionkey: z.string().max(300).exactOptional(),
  dataclassification: z.literal('confidential').exactOptional(),
  data: z.record(z.string(), z.unknown()),
});

/** Throws a ZodError on anything that is no event. */
export const parseEvent = (value: unknown): DomainEvent => domainEventSchema.parse(value);
