import { describe, expect, it } from 'vitest';
import { loadFunctions } from '#scripts/lib/functions.ts';
import { testRuntime } from '#tests/support/runtime.ts';
import { hasScope } from '../../kernel/actor.ts';
import { builtInRoles, permissions, scopesOfBuiltIn } from './permissions.ts';

const runtime = await testRuntime();
const scopesOfRoutes = (await loadFunctions()).flatMap(({ definition, createServices }) =>
  definition
    .routes(createServices(runtime))
    .flatMap(({ endpoint: { access, method, path } }) =>
      typeof access === 'object'
        ? access.scopes.map((scope) => [`${method.toUpperCase()} ${path}`, scope] as const)
        : [],
    ),
);

const nobody = { tenant: 'acme', kind: 'user', id: 'usr_1' } as const;

describe('the permissions', () => {
  it('are all that routes ask for: add what is missing to shared/security/access/permissions.ts', () => {
    const unknown = scopesOfRoutes.filter(([, scope]) => !(scope in permissions));
    expect(unknown.map(([route, scope]) => `${scope} of ${route}`)).toEqual([]);
  });

  it('are all asked for by some route', () => {
    const used = new Set(scopesOfRoutes.map(([, scope]) => scope));
    expect(Object.keys(permissions).filter((scope) => !used.has(scope))).toEqual([]);
  });

  it('are each in some role', () => {
    for (const scope of Object.keys(permissions)) {
      const roles = builtInRoles.filter((role) =>
        hasScope({ ...nobody, scopes: new Set(scopesOfBuiltIn(role)) }, scope),
      );
      expect([scope, roles.length > 0]).toEqual([scope, true]);
    }
  });

  it('are all the owner’s', () => {
    const actor = { ...nobody, scopes: new Set(scopesOfBuiltIn('owner')) };
    expect(Object.keys(permissions).every((scope) => hasScope(actor, scope))).toBe(true);
  });

  it('let nobody but owner and admin write who may do what', () => {
    for (const role of ['member', 'viewer', 'billing', 'support'] as const) {
      expect(
        scopesOfBuiltIn(role).filter((scope) => /^(roles|users|keys|auth-settings|service).*:write$/.test(scope)),
      ).toEqual([]);
    }
  });
});
