import type { Scope } from "./api-key.ts";

/** What a member of a tenant is to it, the most powerful first. */
export const ROLES = ["owner", "admin", "member", "viewer"] as const;
export type Role = (typeof ROLES)[number];

/** `admin`, the instance's scope, is no member's: it comes with an operator's key alone. */
export const ROLE_SCOPES = {
  owner: ["transcribe", "manage"],
  admin: ["transcribe", "manage"],
  member: ["transcribe"],
  viewer: ["read"],
} as const satisfies Record<Role, readonly Scope[]>;
