import { text } from 'node:stream/consumers';
import type { BlobInfo, BlobStore } from '../../blobs/blobs.ts';
import { type Clock, isoTime } from '../../kernel/clock.ts';
import { isOmniError, OmniError } from '../../kernel/errors.ts';
import type { AuditReader } from './audit.reader.ts';
import { type AuditRoot, auditRootSchema } from './audit-chain.ts';
import { rootOf } from './merkle.ts';

export interface AuditRoots {
  /**
   * Keeps how the log stands, as the root of that day. Undefined for an empty log. A root that is there already is left
   * and given back: it was made by an earlier attempt. Fails with `stored-data-invalid` where the log is not the one that
   * the root of the day is of.
   */
  keep(tenant: string, day: string): Promise<AuditRoot | undefined>;
  /** All of a tenant, the oldest first. */
  all(tenant: string): Promise<readonly AuditRoot[]>;
}

export interface AuditRootsOptions {
  /** In a bucket whose retention policy is locked: what is written there stays. */
  readonly blobs: BlobStore;
  readonly reader: Pick<AuditReader, 'headOf' | 'stateAt'>;
  readonly clock: Clock;
}

const prefix = 'audit/roots/';
const keyOf = (day: string): string => `${prefix}${day}.json`;
const readsAtOnce = 20;
/** Roots that a process keeps: about 8 MB. */
const maxKnown = 20_000;

export const createAuditRoots = ({ blobs, reader, clock }: AuditRootsOptions): AuditRoots => {
  const known = new Map<string, AuditRoot>();

  const read = async (tenant: string, key: string): Promise<AuditRoot> =>
    auditRootSchema.parse(JSON.parse(await text((await blobs.of(tenant).read(key)).body)));

  /** A generation of a blob never changes, so it is read once. */
  const readOnce = async (tenant: string, { key, generation }: BlobInfo): Promise<AuditRoot> => {
    const name = JSON.stringify([tenant, key, generation]);
    const root = known.get(name) ?? (await read(tenant, key));
    if (known.size >= maxKnown) known.clear();
    known.set(name, root);
    return root;
  };

  const requireSame = async (tenant: string, root: AuditRoot): Promise<AuditRoot> => {
    const state = await reader.stateAt(tenant, root.sequence);
    if (state?.hash === root.hash && state.size === root.size && rootOf(state.frontier) === root.tree) return root;
    throw new OmniError('stored-data-invalid', `The audit log is not the one whose root was kept on ${root.day}.`);
  };

  return {
    keep: async (tenant, day) => {
      const { sequence, size, hash } = await reader.headOf(tenant);
      if (size === 0) return undefined;
      const state = await reader.stateAt(tenant, sequence);
      if (state?.hash !== hash) throw new OmniError('stored-data-invalid', 'The end of the audit log is damaged.');
      const root: AuditRoot = {
        format: 'omni-audit-root/1',
        tenant,
        day,
        sequence,
        size,
        hash,
        tree: rootOf(state.frontier),
        madeAt: isoTime(clock.now()),
      };
      try {
        const options = { contentType: 'application/json', ifGeneration: 'absent' };
        await blobs.of(tenant).put(keyOf(day), JSON.stringify(root), options);
        return root;
      } catch (error) {
        if (!isOmniError(error, 'precondition-failed')) throw error;
        return requireSame(tenant, await read(tenant, keyOf(day)));
      }
    },
    all: async (tenant) => {
      const roots: AuditRoot[] = [];
      let cursor: string | undefined;
      do {
        const page = await blobs.of(tenant).list({ prefix, limit: 1_000, cursor });
        for (let i = 0; i < page.items.length; i += readsAtOnce) {
          const some = page.items.slice(i, i + readsAtOnce);
          roots.push(...(await Promise.all(some.map((info) => readOnce(tenant, info)))));
        }
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      return roots;
    },
  };
};
