/** The tenant of events that belong to the platform itself, such as a timer's tick. No tenant can have this id. */
export const platformTenant = '-';

/**
 * Something that happened, or a command to make something happen: a CloudEvent 1.0 with Omni's extension attribute
 * `tenant` and CloudEvents' own for tracing, partitioning and data classification
 * (https://github.com/cloudevents/spec/tree/main/cloudevents/extensions).
 */
export interface DomainEvent {
  readonly specversion: '1.0';
  readonly id: string;
  /** The function or service that says it: `omni/ai`. */
  readonly source: string;
  readonly type: string;
  /** Id of the aggregate that it is about. */
  readonly subject: string;
  /** ISO 8601. */
  readonly time: string;
  readonly tenant: string;
  readonly datacontenttype: 'application/json';
  /** W3C trace context of the request or job that caused it. */
  readonly traceparent?: string;
  /** The ordering key, where a job takes the events of one subject in turn. It is the subject. */
  readonly partitionkey?: string;
  /** Where the data holds secrets or somebody's personal data: only the jobs that need it are to see it. */
  readonly dataclassification?: 'confidential';
  /** JSON-safe; the event type's schema says what is in it. */
  readonly data: Readonly<Record<string, unknown>>;
}
