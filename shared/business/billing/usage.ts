/** Usage of a meter by a customer from one day of the tenant's calendar to another, which is not in it. */
export interface UsageQuestion {
  readonly customer: string;
  readonly meter: string;
  /** `YYYY-MM-DD`. */
  readonly from: string;
  readonly to: string;
}

export interface UsageReader {
  /** In the order of the questions. A few round trips, however many there are. */
  quantities(tenant: string, questions: readonly UsageQuestion[]): Promise<readonly number[]>;
}

export const usageKey = ({ customer, meter, from, to }: UsageQuestion): string => `${customer}|${meter}|${from}|${to}`;
