import type { ForbiddenAddress } from "./check-address.ts";
import { parseAddress } from "./classify-address.ts";
import type { Lookup } from "./client.ts";
import type { CompiledPolicy } from "./compile-policy.ts";

/** Our own servers may move; a stranger's request need not wait for a name server each time, though. */
const FRESH_FOR_MS = 30_000;

/**
 * Returns a function that tells the present addresses of our own servers. Where a name cannot be resolved, its last known
 * addresses stay forbidden.
 */
export function forbiddenResolver({ forbidden }: CompiledPolicy, lookup: Lookup): () => Promise<ForbiddenAddress[]> {
  let known: ForbiddenAddress[] = [];
  let resolvedAt = Number.NEGATIVE_INFINITY;
  const names = forbidden.filter(({ address }) => address === null);
  const literals = forbidden.flatMap(({ address, port }) => (address === null ? [] : [withPort(address, port)]));
  const lastOf = new Map<string, ForbiddenAddress[]>();

  return async () => {
    if (names.length === 0) return literals;
    if (performance.now() - resolvedAt < FRESH_FOR_MS) return known;
    await Promise.all(
      names.map(async ({ host, port }) => {
        const found = await lookup(host).catch(() => null);
        if (found === null) return;
        const addresses = found.map(({ address }) => parseAddress(address)).filter((address) => address !== null);
        lastOf.set(
          `${host}:${port}`,
          addresses.map((address) => withPort(address, port)),
        );
      }),
    );
    known = [...literals, ...[...lastOf.values()].flat()];
    resolvedAt = performance.now();
    return known;
  };
}

function withPort(address: ForbiddenAddress["address"], port: number | undefined): ForbiddenAddress {
  return { address, ...(port === undefined ? {} : { port }) };
}
