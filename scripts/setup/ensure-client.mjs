import { existsSync } from "node:fs";
import { join } from "node:path";
import { chooseNode } from "./choose-node.mjs";
import { root } from "./places.mjs";
import { runQuietly } from "./run-program.mjs";
import { say } from "./say.mjs";
import { hashFiles, readStamp, writeStamp } from "./stamps.mjs";

const STEP = "client";
const SCHEMA = join(root, "prisma/schema.prisma");
const GENERATED = join(root, "packages/database/src/generated");
const PRISMA = join(root, "node_modules/prisma");

/** Generates the database client where the schema or Prisma changed. */
export async function ensureClient() {
  if (ensureClient.isReady()) return;
  say("Generating the database client");
  await runQuietly(chooseNode(), [join(PRISMA, "build/index.js"), "generate", "--schema", SCHEMA], {
    // Generating uses no engine; any file that exists keeps Prisma from downloading one.
    PRISMA_SCHEMA_ENGINE_BINARY: join(PRISMA, "package.json"),
    PRISMA_HIDE_UPDATE_MESSAGE: "1",
    CHECKPOINT_DISABLE: "1",
  });
  writeStamp(STEP, fingerprint());
}

ensureClient.isReady = () => existsSync(GENERATED) && readStamp(STEP) === fingerprint();

/** Null while Prisma is not installed. */
function fingerprint() {
  const manifest = join(PRISMA, "package.json");
  return existsSync(manifest) ? hashFiles([SCHEMA, manifest]) : null;
}
