export { ACCESS_TOKEN_SECONDS, type AccessClaims, type AccessTokens, createAccessTokens } from "./access-tokens.ts";
export { normaliseEmail } from "./normalise-email.ts";
export { createPasswordHasher, HasherBusy, type PasswordHasher } from "./password-hasher.ts";
export { passwordProblem } from "./password-rules.ts";
export { createRefreshTokens, hashToken, newInvitationToken, type RefreshTokens } from "./refresh-tokens.ts";
