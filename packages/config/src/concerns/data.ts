import { z } from "zod";
import { setting, text, url, whole } from "../setting.ts";
import { storageSettings } from "./storage.ts";

const encryptionKey = z
  .string()
  .transform((value) => Buffer.from(value, /^[0-9a-f]{64}$/i.test(value) ? "hex" : "base64"))
  .refine((key) => key.length === 32, "must be 32 bytes, as base64 or hex (`openssl rand -base64 32` makes one)");

export const dataSettings = {
  DATABASE_URL: setting(url("postgres:", "postgresql:"), {
    secret: true,
    description: "Postgres; absent: an embedded one is started",
  }),
  DATABASE_DIRECT_URL: setting(url("postgres:", "postgresql:"), {
    secret: true,
    description: "Postgres past a pooler, for LISTEN, migrations and session locks; absent: DATABASE_URL",
  }),
  DATABASE_POOL_SIZE: setting(whole(2, 1000), { fallback: "10", description: "Connections of one process" }),
  REDIS_URL: setting(url("redis:", "rediss:"), { secret: true, description: "Redis; absent: queues live in Postgres" }),
  SCRIBE_DATA_DIR: setting(text, {
    fallback: ".scribe",
    description: "Folder of the embedded database, keys and files",
  }),
  SCRIBE_ADMIN_KEY: setting(text, { secret: true, description: "The first admin key, `sr_<8>_<32 or more>`" }),
  SCRIBE_ENCRYPTION_KEY: setting(encryptionKey, {
    secret: true,
    description: "32 bytes (base64 or hex) that secrets at rest are encrypted with; required with DATABASE_URL",
  }),
  SCRIBE_ENCRYPTION_KEY_BEFORE: setting(encryptionKey, {
    secret: true,
    description: "The key before, while `npm run scribe -- secrets rotate` has not run; what it encrypted is readable",
  }),
  ...storageSettings,
} as const;
