import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError } from '../../kernel/errors.ts';
import type { TenantStore } from '../../store/store.ts';
import { hashOf, newSecret } from '../tokens/opaque-token.ts';
import type { Flow } from './flow.schema.ts';

type Content<F> = F extends Flow ? Omit<F, 'expiresAt'> : never;

export interface Flows {
  /** The secret that ends it. */
  begin(tenant: string, flow: Content<Flow>): Promise<string>;
  /** Uses it up; undefined where there is none of this kind. Of concurrent callers one gets it. */
  end<K extends Flow['kind']>(tenant: string, secret: string, kind: K): Promise<Extract<Flow, { kind: K }> | undefined>;
}

/** Milliseconds. */
const lifetime = 600_000;

const isOf = <K extends Flow['kind']>(flow: Flow, kind: K): flow is Extract<Flow, { kind: K }> => flow.kind === kind;

export const createFlows = ({ flows, clock }: { flows: TenantStore<Flow>; clock: Clock }): Flows => ({
  begin: async (tenant, flow) => {
    const secret = newSecret();
    await flows.of(tenant).create(hashOf(secret), { ...flow, expiresAt: isoTime(clock.now() + lifetime) });
    return secret;
  },
  end: async (tenant, secret, kind) => {
    const id = hashOf(secret);
    const found = await flows.of(tenant).get(id);
    if (found === undefined || !isOf(found.value, kind)) return undefined;
    try {
      await flows.of(tenant).delete(id, { revision: found.revision });
    } catch (error) {
      if (isOmniError(error, 'revision-conflict') || isOmniError(error, 'not-found')) return undefined;
      throw error;
    }
    return found.value;
  },
});
