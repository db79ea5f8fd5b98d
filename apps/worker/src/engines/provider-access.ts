import type { Config } from "@scribe/config";
import { type Claimed, type Database, readJobAccount, tenantProviders } from "@scribe/database";
import {
  JobError,
  PROVIDER_ADDRESSES,
  PROVIDER_NAMES,
  type Provider,
  type ProviderAccess,
  readStoredOptions,
} from "@scribe/domain";

/**
 * With which key a job's provider is asked, and where: the request's own, else the tenant's, else the operator's. The
 * operator's key goes to the operator's address, never to one that a tenant chose.
 *
 * @throws JobError where nothing may be sent to others, or nobody has a key
 */
export async function providerAccess(
  { db, config: { providers } }: { db: Database; config: Pick<Config, "providers"> },
  provider: Provider,
  job: Pick<Claimed, "tenantId" | "options" | "providerAccountEncrypted">,
): Promise<ProviderAccess> {
  if (providers.LOCAL_ONLY) {
    const message = "LOCAL_ONLY is set here: no audio is sent to others.";
    throw new JobError("provider_error", message, { retryable: false });
  }
  const [operatorKey, operatorUrl] = {
    openai: [providers.OPENAI_API_KEY, providers.OPENAI_BASE_URL],
    assemblyai: [providers.ASSEMBLYAI_API_KEY, providers.ASSEMBLYAI_BASE_URL],
  }[provider];
  const tenant = await tenantProviders(db, job.tenantId).account(provider);
  const ofRequest = readJobAccount(db, job);
  if (ofRequest === null && readStoredOptions(job.options).provider_address !== undefined) {
    throw new JobError("provider_unauthorized", "The job names an address of its own, and has no key for it.");
  }
  const own = ofRequest ?? tenant;
  if (own) {
    const chosen = own.baseUrl ?? tenant?.baseUrl;
    if (chosen !== undefined) return { apiKey: own.apiKey, baseUrl: chosen, addressBy: "tenant" };
  }
  const apiKey = own?.apiKey ?? operatorKey;
  if (apiKey === undefined) {
    const message = `There is no key for ${PROVIDER_NAMES[provider]}: neither the request's, nor the tenant's, nor the operator's.`;
    throw new JobError("provider_unauthorized", message);
  }
  return { apiKey, baseUrl: operatorUrl ?? PROVIDER_ADDRESSES[provider], addressBy: "operator" };
}
