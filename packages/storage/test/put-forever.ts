// Puts an object that never ends, until it is killed.
import { setTimeout as sleep } from "node:timers/promises";
import { createS3Store, type S3Options } from "../src/index.ts";

async function* endless() {
  for (;;) {
    yield Buffer.alloc(1024 * 1024);
    await sleep(5);
  }
}

const store = await createS3Store(JSON.parse(process.env.S3_SERVER ?? "") as S3Options);
await store.put("endless", endless());
