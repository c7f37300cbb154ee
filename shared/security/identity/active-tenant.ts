import { isOmniError } from '../../kernel/errors.ts';
import type { TenantService } from '../../platform/index.ts';

/** Whether there is such a tenant, and it is not suspended. */
export const isActiveTenant = (tenants: Pick<TenantService, 'get'>, id: string): Promise<boolean> =>
  tenants.get(id).then(
    ({ status }) => status === 'active',
    (error: unknown) => {
      if (isOmniError(error, 'not-found') || isOmniError(error, 'invalid-request')) return false;
      throw error;
    },
  );
