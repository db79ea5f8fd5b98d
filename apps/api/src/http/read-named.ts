import { type LexiconVersion, type ProviderSettingRow, tenantLexicons, tenantProviders } from "@scribe/database";
import type { UploadFields } from "@scribe/domain";
import type { Api } from "../api.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { readProviderSetting } from "./prepare-provider.ts";

/** What of the tenant's own a job's options name; null where they name none, or what is not there. */
export interface Named {
  /** The account with the engine's provider. */
  setting: ProviderSettingRow | null;
  /** In the version of now, which a job that is submitted now has. */
  lexicon: LexiconVersion | null;
}

/** Asks the database for nothing that is not named. */
export async function readNamed(api: Api, caller: Caller, { engine, lexicon }: UploadFields): Promise<Named> {
  return {
    setting: await readProviderSetting(api, caller, engine),
    lexicon: lexicon === undefined ? null : await tenantLexicons(api.db, caller.tenantId).find(lexicon),
  };
}

/** All that options may name, for many jobs at once. */
export async function readAllNamed({ db }: Api, { tenantId }: Caller): Promise<(fields: UploadFields) => Named> {
  const accounts = await tenantProviders(db, tenantId).list();
  const settings = new Map<string, ProviderSettingRow>(accounts.map((setting) => [setting.provider, setting]));
  const lexicons = new Map((await tenantLexicons(db, tenantId).list()).map((row) => [row.name, row]));
  return ({ engine = "", lexicon = "" }) => ({
    setting: settings.get(engine) ?? null,
    lexicon: lexicons.get(lexicon) ?? null,
  });
}
