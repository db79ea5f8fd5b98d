import type { PasswordHasher, RefreshTokens } from "@scribe/accounts";
import { type AccessTokens, createAccessTokens, createPasswordHasher, createRefreshTokens } from "@scribe/accounts";
import { type Config, ConfigError } from "@scribe/config";

/** What logging in works with. */
export interface Accounts {
  /** Registering takes an invitation. */
  invitedOnly: boolean;
  passwords: PasswordHasher;
  access: AccessTokens;
  refresh: RefreshTokens;
}

/** Null where the operator has not turned accounts on. @throws ConfigError */
export function openAccounts({ accounts }: Config): Accounts | null {
  const { ACCOUNTS = "off", JWT_SECRET } = accounts;
  if (ACCOUNTS === "off") return null;
  if (JWT_SECRET === undefined) {
    throw new ConfigError([`JWT_SECRET is required with ACCOUNTS=${ACCOUNTS} (\`openssl rand -base64 32\` makes one)`]);
  }
  return {
    invitedOnly: ACCOUNTS === "invite",
    passwords: createPasswordHasher(),
    access: createAccessTokens(JWT_SECRET),
    refresh: createRefreshTokens(JWT_SECRET),
  };
}
