import type { Config } from "@scribe/config";
import { PROVIDER_ADDRESSES } from "@scribe/domain";
import { askEndpoint } from "./ask-endpoint.ts";
import { type Finding, ok, warning, wordsOf, wrong } from "./finding.ts";

interface Account {
  name: string;
  variables: string;
  /** What answers quickly, costs nothing and asks for the key. */
  url: URL;
  headers: Record<string, string>;
}

/** Tries the operator's own keys where they are used. Those of tenants are their own matter. */
export async function examineProviders(config: Config): Promise<Finding[]> {
  if (config.providers.LOCAL_ONLY) return [ok("providers", "LOCAL_ONLY: none is asked")];
  const accounts = accountsOf(config);
  if (accounts.length === 0) return [ok("providers", "no keys of the operator's; tenants may bring theirs")];
  return await Promise.all(accounts.map(tryOne));
}

function accountsOf({ providers }: Config): Account[] {
  const at = (base: string, path: string) => new URL(`${base.replace(/\/+$/, "")}${path}`);
  const { OPENAI_API_KEY, OPENAI_BASE_URL, ASSEMBLYAI_API_KEY, ASSEMBLYAI_BASE_URL } = providers;
  const accounts: Account[] = [];
  // The address alone serves tenants with keys of their own.
  if (OPENAI_API_KEY !== undefined || OPENAI_BASE_URL !== undefined) {
    accounts.push({
      name: "openai",
      variables: "OPENAI_API_KEY, OPENAI_BASE_URL",
      url: at(OPENAI_BASE_URL ?? PROVIDER_ADDRESSES.openai, "/models"),
      headers: OPENAI_API_KEY === undefined ? {} : { authorization: `Bearer ${OPENAI_API_KEY}` },
    });
  }
  if (ASSEMBLYAI_API_KEY !== undefined) {
    accounts.push({
      name: "assemblyai",
      variables: "ASSEMBLYAI_API_KEY, ASSEMBLYAI_BASE_URL",
      url: at(ASSEMBLYAI_BASE_URL ?? PROVIDER_ADDRESSES.assemblyai, "/v2/transcript?limit=1"),
      headers: { authorization: ASSEMBLYAI_API_KEY },
    });
  }
  return accounts;
}

async function tryOne({ name, variables, url, headers }: Account): Promise<Finding> {
  try {
    const { status } = await askEndpoint(url, { headers });
    const refused = status === 401 || status === 403;
    if (refused && headers.authorization !== undefined) return wrong(name, `${url.origin} refuses the key`, variables);
    return status < 500
      ? ok(name, `${url.origin} answers (${status})`)
      : warning(name, `${url.origin} answers ${status}`, "its status page; jobs wait and are tried again");
  } catch (error) {
    return wrong(name, `${url.origin}: ${wordsOf(error)}`, `curl -I ${url.origin}   # from this machine; ${variables}`);
  }
}
