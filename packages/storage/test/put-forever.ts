// Puts an object that never ends, until it is killed.
import { setTimeout as sleep } from "node:timers/promises";
import { createGcsStore, createS3Store } from "../src/index.ts";

async function* endless() {
  for (;;) {
    yield Buffer.alloc(1024 * 1024);
    await sleep(5);
  }
}

const { S3_SERVER, GCS_SERVER } = process.env;
const store = S3_SERVER
  ? await createS3Store(JSON.parse(S3_SERVER))
  : await createGcsStore(JSON.parse(GCS_SERVER ?? ""));
await store.put("endless", endless());
