import { type LexiconContent, lexiconContent, uuidV7 } from "@scribe/domain";
import { type Database, inTransaction } from "../open-database.ts";

export interface LexiconRow {
  id: string;
  name: string;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** Which version of a lexicon a job has. */
export interface LexiconVersion {
  id: string;
  version: number;
}

/** Versions that are kept behind the last one, for jobs that were submitted while they stood. */
const KEPT_VERSIONS = 20;

const COLUMNS = `l.id, l.name, l.version, l.created_at AS "createdAt", l.updated_at AS "updatedAt"`;
const UNIQUE_VIOLATION = "23505";

/** The word lists of one tenant; what is another's is as if it were not there. */
export function tenantLexicons(db: Database, tenantId: string) {
  return {
    /** By name. */
    async list(): Promise<LexiconRow[]> {
      const { rows } = await db.pool.query<LexiconRow>(
        `SELECT ${COLUMNS} FROM lexicons l WHERE l.tenant_id = $1 ORDER BY l.name`,
        [tenantId],
      );
      return rows;
    },

    async find(name: string): Promise<LexiconRow | null> {
      const { rows } = await db.pool.query<LexiconRow>(
        `SELECT ${COLUMNS} FROM lexicons l WHERE l.tenant_id = $1 AND l.name = $2`,
        [tenantId, name],
      );
      return rows[0] ?? null;
    },

    /** What a version says, or null where it is gone. @throws ZodError where what is stored is no lexicon */
    async read({ id, version }: LexiconVersion): Promise<LexiconContent | null> {
      const { rows } = await db.pool.query<{ content: unknown }>(
        `SELECT v.content FROM lexicon_versions v JOIN lexicons l ON l.id = v.lexicon_id
         WHERE l.tenant_id = $1 AND v.lexicon_id = $2 AND v.version = $3`,
        [tenantId, id, version],
      );
      return rows[0] === undefined ? null : lexiconContent.parse(rows[0].content);
    },

    /** Null where the name is taken, `full` where there are `most` already. */
    async create(name: string, content: LexiconContent, most: number): Promise<LexiconRow | "full" | null> {
      return await inTransaction(db, async (client) => {
        const { rows: counted } = await client.query<{ count: number }>(
          "SELECT count(*)::int AS count FROM lexicons WHERE tenant_id = $1",
          [tenantId],
        );
        if (counted[0]!.count >= most) return "full";
        const { rows } = await client.query<LexiconRow>(
          `INSERT INTO lexicons AS l (id, tenant_id, name) VALUES ($1, $2, $3) RETURNING ${COLUMNS}`,
          [uuidV7(), tenantId, name],
        );
        const made = rows[0]!;
        await client.query("INSERT INTO lexicon_versions (lexicon_id, version, content) VALUES ($1, 1, $2)", [
          made.id,
          JSON.stringify(content),
        ]);
        return made;
      }).catch((error: Error & { code?: string }) => {
        if (error.code === UNIQUE_VIOLATION) return null;
        throw error;
      });
    },

    /** Another content, as the next version; null where there is none of this name. */
    async replace(name: string, content: LexiconContent): Promise<LexiconRow | null> {
      return await inTransaction(db, async (client) => {
        const { rows } = await client.query<LexiconRow>(
          `UPDATE lexicons AS l SET version = version + 1, updated_at = now()
           WHERE tenant_id = $1 AND name = $2 RETURNING ${COLUMNS}`,
          [tenantId, name],
        );
        const row = rows[0];
        if (row === undefined) return null;
        await client.query("INSERT INTO lexicon_versions (lexicon_id, version, content) VALUES ($1, $2, $3)", [
          row.id,
          row.version,
          JSON.stringify(content),
        ]);
        await client.query("DELETE FROM lexicon_versions WHERE lexicon_id = $1 AND version <= $2", [
          row.id,
          row.version - KEPT_VERSIONS,
        ]);
        return row;
      });
    },

    /** With all its versions; false where there is none. */
    async remove(name: string): Promise<boolean> {
      const { rowCount } = await db.pool.query("DELETE FROM lexicons WHERE tenant_id = $1 AND name = $2", [
        tenantId,
        name,
      ]);
      return rowCount === 1;
    },
  };
}
