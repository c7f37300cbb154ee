/** Why an address is not to be written to any more. */
export type SuppressionReason = 'bounced' | 'complained' | 'opted-out' | 'invalid';

/**
 * What an outside system said to a message. Where it said nothing that can be relied on (a time-out, a connection that
 * broke after the last byte), the adapter throws `unavailable`: the message may be on its way or not.
 */
export type Delivery =
  /** It took over. `reference` is its own name for the message. */
  | { readonly status: 'accepted'; readonly reference: string }
  /** It did not take the message, and may later. */
  | { readonly status: 'deferred'; readonly reason: string }
  /** It never will. `suppress` where the address itself is the reason. */
  | { readonly status: 'refused'; readonly reason: string; readonly suppress?: SuppressionReason };
