/** Control characters end header lines, and bidirectional overrides make a text read as another. */
const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]+/gu;

/** The text with each run of what could break out of its line as one space. */
export const oneLine = (text: string): string => text.replace(unsafe, ' ').trim();
