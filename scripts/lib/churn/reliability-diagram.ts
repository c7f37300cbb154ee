import type { ReliabilityBin } from './metrics.ts';

const size = 320;
const margin = 40;
const x = (value: number): string => (margin + value * size).toFixed(1);
const y = (value: number): string => (margin + (1 - value) * size).toFixed(1);

/** Predicted against observed rate per bin; the area of a point goes with its count, the diagonal is perfect. */
export const reliabilityDiagram = (bins: readonly ReliabilityBin[]): string => {
  const largest = Math.max(...bins.map(({ count }) => count));
  const ticks = [0, 0.25, 0.5, 0.75, 1].flatMap((tick) => [
    `<text x="${x(tick)}" y="${margin + size + 16}" text-anchor="middle">${tick}</text>`,
    `<text x="${margin - 6}" y="${y(tick)}" text-anchor="end" dominant-baseline="middle">${tick}</text>`,
  ]);
  const points = bins.map(
    ({ predicted, observed, count }) =>
      `<circle cx="${x(predicted)}" cy="${y(observed)}" r="${(3 + 9 * Math.sqrt(count / largest)).toFixed(1)}"><title>${count} customers: predicted ${predicted.toFixed(3)}, observed ${observed.toFixed(3)}</title></circle>`,
  );
  const side = size + 2 * margin;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${side} ${side + 10}" font-family="sans-serif" font-size="11">`,
    `<title>Reliability of the churn model on the held-out customers</title>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    `<rect x="${margin}" y="${margin}" width="${size}" height="${size}" fill="none" stroke="#999"/>`,
    `<line x1="${x(0)}" y1="${y(0)}" x2="${x(1)}" y2="${y(1)}" stroke="#999" stroke-dasharray="4"/>`,
    ...ticks,
    `<g fill="#1a73e8" fill-opacity="0.7">`,
    ...points,
    `</g>`,
    `<text x="${margin + size / 2}" y="${side - 2}" text-anchor="middle">predicted probability</text>`,
    `<text transform="translate(12 ${margin + size / 2}) rotate(-90)" text-anchor="middle">observed rate</text>`,
    `</svg>`,
  ].join('\n')}\n`;
};
