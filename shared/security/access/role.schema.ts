import * as z from 'zod';
import { tenantCollection } from '../../store/collection.ts';
import { isBuiltInRole, permissions } from './permissions.ts';

/** The name of a role: lower case, as in `data-analyst`. */
export const roleNameSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{1,39}$/)
  .meta({ description: 'Lower-case letters, digits and hyphens.', examples: ['data-analyst'] });

/** A permission that there is: never a wildcard, so that a new permission is in no old role. */
const permissionSchema = z.enum(Object.keys(permissions));

export const roleSchema = z.object({
  description: z.string(),
  /** Not checked against the permissions of today: one that is gone must not make the role unreadable. */
  scopes: z.array(z.string()),
  createdAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
});
export type Role = z.infer<typeof roleSchema>;

export const roleInputSchema = z
  .strictObject({ description: z.string().max(200).optional(), scopes: z.array(permissionSchema).min(1).max(200) })
  .meta({ id: 'RoleInput', examples: [{ description: 'Looks after keys', scopes: ['keys:read', 'keys:write'] }] });
export type RoleInput = z.infer<typeof roleInputSchema>;

export const roleViewSchema = z
  .object({
    name: z.string(),
    description: z.string(),
    scopes: z.array(z.string()).readonly(),
    builtIn: z.boolean(),
  })
  .meta({ id: 'Role' });
export type RoleView = z.infer<typeof roleViewSchema>;

/** A role that a tenant may make. */
export const customRoleNameSchema = roleNameSchema.refine(
  (name) => !isBuiltInRole(name),
  'Built-in roles stay as they are',
);

/** By name. */
export const roleCollection = tenantCollection<Role>({ name: 'roles', schema: roleSchema, unindexed: ['scopes'] });
