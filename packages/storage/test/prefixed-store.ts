import type { BlobStat, BlobStore } from "../src/index.ts";

/** A store that is a part of another: all its keys begin with `prefix`, which its callers do not see. */
export function prefixedStore(store: BlobStore, prefix: string): BlobStore {
  const bare = (stat: BlobStat): BlobStat => ({ ...stat, key: stat.key.slice(prefix.length) });
  async function* list(start: string, options = {}) {
    for await (const stat of store.list(prefix + start, options)) yield bare(stat);
  }
  return {
    ...store,
    put: (key, body, options) => store.put(prefix + key, body, options),
    get: (key, options) => store.get(prefix + key, options),
    stat: async (key, options) => {
      const found = await store.stat(prefix + key, options);
      return found && bare(found);
    },
    remove: (key, options) => store.remove(prefix + key, options),
    list,
    copy: async (from, to, options) => bare(await store.copy(prefix + from, prefix + to, options)),
    maxSignedBytes: store.maxSignedBytes,
    presignPut: (key, options) => store.presignPut(prefix + key, options),
    presignGet: (key, options) => store.presignGet(prefix + key, options),
    async usage() {
      let [objects, bytes] = [0, 0];
      for await (const stat of list("")) {
        objects += 1;
        bytes += stat.bytes;
      }
      return { backend: store.backend, objects, bytes };
    },
    close: async () => {},
  };
}
