import { RequestError } from "@scribe/domain";
import type { Api } from "../../api.ts";
import type { Accounts } from "../../open-accounts.ts";
import type { Guard } from "../../openapi/route.ts";

/** Refuses what is part of accounts where the operator has not turned them on; waiting cures nothing. */
export const requireAccounts: Guard = (api) => {
  return (_request, _response, next) => {
    accountsOf(api);
    next();
  };
};

/** @throws RequestError 503 naming the setting */
export function accountsOf({ accounts }: Pick<Api, "accounts">): Accounts {
  if (accounts !== null) return accounts;
  throw new RequestError("service_unavailable", "Accounts are off here; the operator sets ACCOUNTS.");
}
