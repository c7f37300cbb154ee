/** What a register of VAT numbers says. */
export interface VatAnswer {
  readonly valid: boolean;
  /** The register's own name of the answer, as evidence; null where it gives none. */
  readonly consultation: string | null;
}

/** The register of VAT numbers. Errors: `unavailable`, also where only one member state does not answer. */
export interface VatRegister {
  /** `requester` is the seller's own number, without which the answer has no name. */
  check(vatId: string, requester?: string): Promise<VatAnswer>;
}
