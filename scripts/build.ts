import { type BuildReport, buildFunctions } from './lib/build-functions.ts';

const kilobytes = (bytes: number): string => `${Math.round(bytes / 1024)} KiB`;

const print = (reports: readonly BuildReport[]): void => {
  const row = (name: string, entry: string, lazy: string, zip: string, packages: string): string =>
    `${name.padEnd(14)}${entry.padStart(10)}${lazy.padStart(12)}${zip.padStart(11)}   ${packages}`;
  console.log(row('function', 'entry', 'lazy', 'package', 'largest packages'));
  for (const { function: name, entry, lazy, package: zip, packages } of reports) {
    const largest = packages.map((one) => `${one.name} ${kilobytes(one.bytes)}`).join(', ');
    console.log(row(name, kilobytes(entry), kilobytes(lazy), kilobytes(zip.bytes), largest));
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
