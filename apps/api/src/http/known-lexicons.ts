import { type LexiconVersion, tenantLexicons } from "@scribe/database";
import type { Api } from "../api.ts";
import type { Caller } from "./middleware/authenticate.ts";

/** The tenant's lexicons by name, each in the version of now, which a job that is submitted now has. */
export type KnownLexicons = ReadonlyMap<string, LexiconVersion>;

export const NO_LEXICONS: KnownLexicons = new Map();

export async function readLexicons({ db }: Api, { tenantId }: Caller): Promise<KnownLexicons> {
  const rows = await tenantLexicons(db, tenantId).list();
  return new Map(rows.map(({ id, name, version }) => [name, { id, version }] as const));
}
