import { buildFunctions } from './lib/build-functions.ts';
import type { BundleReport } from './lib/bundle.ts';

const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;

const print = (reports: readonly BundleReport[]): void => {
  const row = (name: string, entry: string, lazy: string, packages: string): string =>
    `${name.padEnd(12)}${entry.padStart(10)}${lazy.padStart(12)}   ${packages}`;
  console.log(row('function', 'entry', 'lazy', 'largest packages'));
  for (const { function: name, entry, lazy, packages } of reports) {
    const largest = packages.map((one) => `${one.name} ${kilobytes(one.bytes)}`).join(', ');
    console.log(row(name, kilobytes(entry), kilobytes(lazy), largest));
  }
  const external = [...new Set(reports.flatMap((report) => report.external))];
  console.log(`Not bundled, but named in each package.json: ${external.join(', ')}. Report: dist/report.json`);
};

try {
  const started = performance.now();
  const reports = await buildFunctions();
  print(reports);
  console.log(`Built ${reports.length} functions in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
