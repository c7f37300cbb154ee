export { createUsageMeter, type Usage, usageCollection } from './usage/usage.meter.ts';
