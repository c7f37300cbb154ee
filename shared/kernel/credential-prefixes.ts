/** How the texts of our own credentials begin, by which they are kept out of logs. A test finds one that is missing. */
export const credentialPrefixes = ['omc_', 'omd_', 'omk_', 'oml_', 'omr_', 'omx_'] as const;
