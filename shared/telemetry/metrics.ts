import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

type Labels<L extends string> = Readonly<Record<L, string | number>>;

export interface MetricCounter<L extends string> {
  add(labels: Labels<L>, by?: number): void;
}

export interface MetricHistogram<L extends string> {
  /** In the unit that the metric's name ends with. */
  observe(labels: Labels<L>, value: number): void;
}

/** Metrics in Prometheus' text format, in a registry of their own. */
export interface Metrics {
  /** One finished request. `endpoint` is the route's pattern, never the path: `/v1/predictions/{id}`. */
  request(request: { method: string; endpoint: string; status: number; seconds: number }): void;
  /** A counter, made where the name is new. Labels take values from a small fixed set: never ids. */
  counter<L extends string>(name: string, help: string, labels: readonly L[]): MetricCounter<L>;
  /** `buckets` are upper bounds, rising. */
  histogram<L extends string>(
    name: string,
    help: string,
    labels: readonly L[],
    buckets?: readonly number[],
  ): MetricHistogram<L>;
  render(): Promise<{ readonly contentType: string; readonly body: string }>;
}

export interface MetricsOptions {
  readonly service: string;
  /** Memory, event loop and garbage collection of the process too. */
  readonly processMetrics?: boolean;
}

/** Seconds: from a cache hit to the longest request that the platform lets run usefully. */
const durationBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Series of one metric. A label that takes ids would fill memory: what comes after this is counted as `other`. */
const maxSeries = 2_000;
const maxLabelLength = 120;

/** Lets known label values through, and new ones while there is room. */
const boundLabels = (names: readonly string[]): ((labels: Labels<string>) => Record<string, string>) => {
  const seen = new Set<string>();
  return (labels) => {
    const values = names.map((name) => String(labels[name]).slice(0, maxLabelLength));
    const series = values.join('\u0000');
    const admitted = seen.has(series) || seen.size < maxSeries;
    if (admitted) seen.add(series);
    return Object.fromEntries(names.map((name, i) => [name, admitted ? (values[i] ?? '') : 'other']));
  };
};

/** Makes each name once. The same name with other labels is a mistake in the code, so it throws. */
const onceByName = <M>() => {
  const made = new Map<string, { readonly labels: string; readonly metric: M }>();
  return (name: string, labels: readonly string[], make: () => M): M => {
    const known = made.get(name) ?? { labels: labels.join(), metric: make() };
    if (known.labels !== labels.join())
      throw new TypeError(`The metric ${name} exists with the labels ${known.labels}.`);
    made.set(name, known);
    return known.metric;
  };
};

export const createMetrics = ({ service, processMetrics = false }: MetricsOptions): Metrics => {
  const registry = new Registry();
  registry.setDefaultLabels({ service });
  if (processMetrics) collectDefaultMetrics({ register: registry });

  const counterOnce = onceByName<MetricCounter<string>>();
  const counter: Metrics['counter'] = (name, help, labels) =>
    counterOnce(name, labels, () => {
      const inner = new Counter<string>({ name, help, labelNames: [...labels], registers: [registry] });
      const bound = boundLabels(labels);
      return { add: (values, by = 1) => inner.inc(bound(values), by) };
    });

  const histogramOnce = onceByName<MetricHistogram<string>>();
  const histogram: Metrics['histogram'] = (name, help, labels, buckets = durationBuckets) =>
    histogramOnce(name, labels, () => {
      const inner = new Histogram<string>({
        name,
        help,
        labelNames: [...labels],
        buckets: [...buckets],
        registers: [registry],
      });
      const bound = boundLabels(labels);
      return { observe: (values, value) => inner.observe(bound(values), value) };
    });

  const requests = counter('http_requests_total', 'HTTP requests by outcome.', ['method', 'endpoint', 'status']);
  const durations = histogram('http_request_duration_seconds', 'Time from request to response.', [
    'method',
    'endpoint',
  ]);

  return {
    request: ({ method, endpoint, status, seconds }) => {
      requests.add({ method, endpoint, status });
      durations.observe({ method, endpoint }, seconds);
    },
    counter,
    histogram,
    render: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
};
