import crypto from "node:crypto";
import type { Config } from "@scribe/config";
import { type Finding, ok, wrong } from "./finding.ts";

/** People log in where `ACCOUNTS` says so; then there must be what signs their tokens, and hashes their passwords. */
export function examineAccounts({ accounts, data }: Config): Finding {
  const { ACCOUNTS, JWT_SECRET } = accounts;
  if (ACCOUNTS === undefined && data.DATABASE_URL === undefined) {
    return ok("accounts", "`npm start` turns them on, with a secret that it keeps");
  }
  if (ACCOUNTS === undefined || ACCOUNTS === "off") return ok("accounts", "off");
  if (JWT_SECRET === undefined && data.DATABASE_URL !== undefined) {
    return wrong(
      "accounts",
      `ACCOUNTS=${ACCOUNTS} without JWT_SECRET`,
      "export JWT_SECRET=$(openssl rand -base64 32)   # the same on every replica",
    );
  }
  if (typeof crypto.argon2 !== "function") {
    return wrong("accounts", `Node ${process.versions.node} cannot hash passwords`, "Node 24.7 or later");
  }
  return ok("accounts", ACCOUNTS === "on" ? "whoever reaches the API may register" : "who is invited may register");
}
