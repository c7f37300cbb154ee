/** Roles that every tenant has. */
export const builtInRoles = ['owner', 'admin', 'member', 'viewer', 'billing', 'support'] as const;
export type BuiltInRole = (typeof builtInRoles)[number];

export const isBuiltInRole = (role: string): role is BuiltInRole => builtInRoles.some((name) => name === role);

interface Permission {
  /** What it allows, for a person who makes a role. */
  readonly allows: string;
  /** The roles that have it, besides owner, who has all. */
  readonly roles: readonly Exclude<BuiltInRole, 'owner'>[];
}

const everybody = ['admin', 'member', 'viewer', 'support'] as const;

/** Every scope that a route may ask for. A test finds the route that asks for another. */
export const permissions: Readonly<Record<string, Permission>> = {
  'ai:read': { allows: 'Read predictions and their sums', roles: everybody },
  'ai:predict': { allows: 'Make predictions', roles: ['admin', 'member'] },
  'payments:read': {
    allows: 'Read payments, customers and subscriptions',
    roles: ['admin', 'billing', 'support', 'viewer'],
  },
  'payments:write': { allows: 'Take payments, and change customers and subscriptions', roles: ['admin', 'billing'] },
  'payments:refund': { allows: 'Pay payments back', roles: ['admin', 'billing'] },
  'payments:manage': { allows: 'Connect gateway accounts and make routing rules', roles: ['admin'] },
  'ledger:read': { allows: 'Read the ledger', roles: ['admin', 'billing'] },
  'ledger:post': { allows: 'Post and reverse ledger transactions', roles: ['admin'] },
  'billing:read': {
    allows: 'Read the catalogue, customers, subscriptions, usage and invoices',
    roles: ['admin', 'billing', 'support', 'viewer'],
  },
  'billing:write': { allows: 'Change customers, subscriptions and invoices', roles: ['admin', 'billing'] },
  'billing:catalogue': { allows: 'Change products, prices, coupons, meters and settings', roles: ['admin', 'billing'] },
  'billing:meter': { allows: 'Report usage', roles: ['admin', 'billing', 'member'] },
  'monetization:read': {
    allows: 'Read plans, what customers may do, revenue and experiments',
    roles: ['admin', 'billing', 'support', 'viewer', 'member'],
  },
  'monetization:write': { allows: 'Run price experiments', roles: ['admin', 'billing'] },
  'keys:read': { allows: 'List API keys', roles: ['admin'] },
  'keys:write': { allows: 'Issue, rotate and revoke API keys', roles: ['admin'] },
  'service-accounts:read': { allows: 'List service accounts', roles: ['admin'] },
  'service-accounts:write': { allows: 'Make, rotate and remove service accounts', roles: ['admin'] },
  'roles:read': { allows: 'List roles and what they allow', roles: everybody },
  'roles:write': { allows: 'Make and change roles, and give them to users', roles: ['admin'] },
  'users:read': { allows: 'List users', roles: ['admin', 'support'] },
  'users:write': { allows: 'Disable users and end their sessions', roles: ['admin'] },
  'mfa:reset': { allows: 'Ask for a reset of somebody’s second factors', roles: ['admin', 'support'] },
  'tenant:read': { allows: 'Read the tenant, its usage and its branding', roles: everybody },
  'tenant:write': { allows: 'Change settings, slug, branding, domains, templates and sandboxes', roles: ['admin'] },
  'tenant:own': { allows: 'Suspend and delete the tenant, and pass ownership on', roles: [] },
  'members:read': { allows: 'List members and invitations', roles: ['admin', 'support'] },
  'members:write': { allows: 'Invite and remove members', roles: ['admin'] },
  'auth-settings:read': { allows: 'Read how people sign in', roles: ['admin'] },
  'security:read': { allows: 'Read the audit log and the security policy', roles: ['admin'] },
  'security:write': { allows: 'Change the security policy and export the audit log', roles: ['admin'] },
  'threats:read': { allows: 'Read incidents, blocks, rules and the risk of users', roles: ['admin'] },
  'threats:write': { allows: 'Handle incidents, block, and change the rules of threat detection', roles: ['admin'] },
  'auth-settings:write': { allows: 'Change how people sign in', roles: ['admin'] },
  'secrets:read': { allows: 'List secrets without their values', roles: ['admin', 'member'] },
  'secrets:write': { allows: 'Make, disable and destroy secrets', roles: ['admin'] },
  'secrets:reveal': { allows: 'Read the values of secrets', roles: ['admin'] },
  'encryption:read': { allows: 'List encryption keys and follow their rotation', roles: ['admin'] },
  'encryption:rotate': { allows: 'Rotate encryption keys', roles: ['admin'] },
  'encryption:destroy': { allows: 'Destroy encryption keys, and with them all they encrypted', roles: [] },
  'encryption:encrypt': { allows: 'Encrypt values', roles: ['admin', 'member'] },
  'encryption:decrypt': { allows: 'Decrypt values', roles: ['admin', 'member'] },
  'files:scan': { allows: 'Look for secrets and personal data in texts and files', roles: ['admin', 'member'] },
  'files:sign': { allows: 'Make URLs that read or write a file without a credential', roles: ['admin', 'member'] },
};

/** What a built-in role may do. */
export const scopesOfBuiltIn = (role: BuiltInRole): readonly string[] =>
  role === 'owner'
    ? ['*']
    : Object.entries(permissions)
        .filter(([, { roles }]) => roles.includes(role))
        .map(([scope]) => scope);
