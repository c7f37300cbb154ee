/** What is asked of DNS. */
export interface DnsTexts {
  /** The texts of all TXT records of a name, each joined; none where there is no such name. Fails with `unavailable`. */
  txt(name: string): Promise<readonly string[]>;
}
