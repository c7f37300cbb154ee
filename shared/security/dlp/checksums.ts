/** ISO/IEC 7812-1 annex B. */
export const luhnValid = (digits: string): boolean => {
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - i) - 48;
    const doubled = i % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
};

/** ISO/IEC 7064 mod 97-10, as an IBAN has it: its first four characters at the end, letters as 10 to 35. */
export const isMod97 = (iban: string): boolean => {
  let remainder = 0;
  for (let i = 0; i < iban.length; i += 1) {
    const value = Number.parseInt(iban.charAt((i + 4) % iban.length), 36);
    remainder = (remainder * (value > 9 ? 100 : 10) + value) % 97;
  }
  return remainder === 1;
};
