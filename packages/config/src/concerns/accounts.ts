import { z } from "zod";
import { oneOf, setting, whole } from "../setting.ts";

/** HMAC-SHA256's key is as long as its hash at least (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;

const jwtSecret = z
  .string()
  .transform((value) => Buffer.from(value, "utf8"))
  .refine(
    (key) => key.length >= MIN_SECRET_BYTES,
    `must have ${MIN_SECRET_BYTES} bytes or more (\`openssl rand -base64 32\` makes one)`,
  );

export const accountSettings = {
  ACCOUNTS: setting(oneOf(["off", "invite", "on"]), {
    description: "People log in: off, invite (registering takes an invitation), on; absent: off, and on when embedded",
  }),
  JWT_SECRET: setting(jwtSecret, {
    secret: true,
    description: "32 bytes or more that access tokens are signed with; required with ACCOUNTS (made when embedded)",
  }),
  RATE_LIMIT_AUTH: setting(whole(1, 10_000_000), {
    fallback: "30",
    description: "Requests to register, log in, refresh and log out, a minute and address (IPv6: a /56)",
  }),
} as const;
