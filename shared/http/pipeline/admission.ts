import type { Principal } from '../../kernel/actor.ts';
import { OmniError } from '../../kernel/errors.ts';
import { clientAddress } from '../client-address.ts';
import type { Middleware } from '../context.ts';

/** Says whether a tenant lets this principal call from this address, which is undefined where nobody knows it. */
export interface Admission {
  admits(principal: Principal, address: string | undefined): boolean | Promise<boolean>;
}

export const admitsAll: Admission = { admits: () => true };

const check = (admitted: boolean): void => {
  if (!admitted) throw new OmniError('forbidden', 'This tenant does not allow calls from this address.');
};

/** Finds out where a request comes from, and whether who it is for may call from there. Our own services always may. */
export const admission =
  ({ admits }: Admission, hops: number): Middleware =>
  (c, next) => {
    const address = clientAddress(c, hops);
    c.set('address', address);
    const principal = c.get('principal');
    if (principal === undefined || c.get('internal')) return next();
    const admitted = admits(principal, address);
    if (admitted instanceof Promise) return admitted.then(check).then(next);
    check(admitted);
    return next();
  };
