import { defineJob } from '../../events/define-job.ts';
import type { SecurityPolicyService } from '../policy/security-policy.service.ts';
import { linkRequested } from './identity.events.ts';
import type { Links } from './links.ts';
import type { UserService } from './user.service.ts';

export interface IdentityJobServices {
  readonly users: Pick<UserService, 'findByEmail'>;
  readonly links: Pick<Links, 'make'>;
  readonly policyService: Pick<SecurityPolicyService, 'of'>;
}

/** Mails the link that somebody asked for, where there is an account that may use it. */
export const sendLink = defineJob({
  name: 'security.send-link',
  on: [linkRequested],
  handle: async ({ tenant, data }, { commit }, { users, links, policyService }: IdentityJobServices) => {
    const { signInMethods } = await policyService.of(tenant);
    const allowed = signInMethods.includes(data.purpose === 'sign-in' ? 'magic-link' : 'password');
    const user = allowed ? await users.findByEmail(tenant, data.email) : undefined;
    const write =
      user?.value.status === 'active'
        ? await links.make(tenant, {
            purpose: data.purpose,
            user: user.id,
            email: user.value.email,
            epoch: user.value.epoch,
            name: user.value.name,
            locale: data.locale,
          })
        : () => {};
    await commit(write);
  },
});
