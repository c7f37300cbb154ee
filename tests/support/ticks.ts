import { isoTime } from '#shared/kernel/clock.ts';
import { internalToken, request, type TestRuntime } from './runtime.ts';

/** A timer's tick at the time of the test's clock, to the one job that takes it. All that follows is done when it returns. */
export const tick = async (
  runtime: TestRuntime,
  app: Parameters<typeof request>[0],
  { schedule, job }: { readonly schedule: string; readonly job: string },
): Promise<void> => {
  const message = {
    data: Buffer.from(JSON.stringify({ schedule })).toString('base64'),
    attributes: { type: `schedule.${schedule}` },
    messageId: '1',
    publishTime: isoTime(runtime.clock.now()),
  };
  const path = `/internal/jobs/${job}?token=${internalToken}`;
  const { status } = await request(app, path, { body: { message, subscription: 'test' } });
  if (status !== 204) throw new Error(`${job} answered ${status}.`);
  await runtime.bus.idle();
};
