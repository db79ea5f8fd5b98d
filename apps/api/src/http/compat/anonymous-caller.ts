import { BlockList } from "node:net";
import { findTenant } from "@scribe/database";
import type { Request } from "express";
import type { Api } from "../../api.ts";
import { effectiveLimits } from "../../limits/effective-limits.ts";
import type { Caller } from "../middleware/authenticate.ts";
import { doorOf } from "./doors.ts";
import { seemsInside } from "./seems-inside.ts";

/** RFC 1918, RFC 4193, the machine itself, link-local. */
const PRIVATE = new BlockList();
for (const [network, bits] of [
  ["10.0.0.0", 8],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
] as const)
  PRIVATE.addSubnet(network, bits, "ipv4");
PRIVATE.addSubnet("fc00::", 7, "ipv6");
PRIVATE.addSubnet("fe80::", 10, "ipv6");
PRIVATE.addAddress("::1", "ipv6");

/**
 * Who acts where no key is shown: the tenant that the operator named, for callers from a private address behind the doors
 * of services that knew no keys. Null everywhere else, and where that tenant is not there or closed.
 */
export async function anonymousCaller(api: Pick<Api, "config" | "db">, request: Request): Promise<Caller | null> {
  const name = api.config.compat.COMPAT_ANONYMOUS_TENANT;
  if (name === undefined || !doorOf(request.path)?.anonymous || !isPrivate(request.ip ?? "")) return null;
  const { TRUST_PROXY, PUBLIC_URL, CORS_ORIGINS } = api.config.http;
  const known = { trustsProxy: TRUST_PROXY !== "false", publicUrl: PUBLIC_URL, origins: CORS_ORIGINS };
  if (!seemsInside(request, known)) return null;
  const tenant = await findTenant(api.db, name);
  if (tenant === null || tenant.disabledAt !== null) return null;
  return {
    tenantId: tenant.id,
    keyId: tenant.id,
    publicId: "anonymous",
    scopes: ["transcribe"],
    limits: effectiveLimits(api.config, {}, tenant.limits),
    madeBy: null,
    profile: "standard",
    webhookFormat: null,
    user: null,
  };
}

export function isPrivate(address: string): boolean {
  return PRIVATE.check(address, address.includes(":") ? "ipv6" : "ipv4");
}
