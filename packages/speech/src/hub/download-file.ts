import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, open, rename, rm, stat } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { askHub, SILENCE_MS, withRetries } from "./ask-hub.ts";
import type { Hub } from "./hub.ts";
import { HubError } from "./hub-error.ts";
import type { HubFile } from "./list-files.ts";

/** A transfer that was damaged on its way is fetched anew once; twice is the hub's own matter. */
const WHOLE_TRIES = 2;

/**
 * Fetches one file to `path`, going on where an earlier fetch was cut off. It appears there with the announced size and
 * hash, or not at all.
 *
 * @throws HubError, the signal's reason
 */
export async function downloadFile(
  hub: Hub,
  from: { repo: string; commit: string; file: HubFile },
  path: string,
  { signal, onBytes }: { signal?: AbortSignal | undefined; onBytes?: ((bytes: number) => void) | undefined } = {},
): Promise<void> {
  const { repo, commit, file } = from;
  const url = `/${repo}/resolve/${commit}/${file.name.split("/").map(encodeURIComponent).join("/")}`;
  const partial = `${path}.incomplete`;
  for (let tries = 1; ; tries++) {
    await withRetries(hub, signal, (gained) => fetchRest(hub, url, partial, file, { signal, onBytes, gained }));
    if ((await hashOf(partial, file, signal)) === file.hash.hex) break;
    await rm(partial, { force: true });
    if (tries === WHOLE_TRIES) throw new HubError("damaged", `${file.name} has not the hash that the hub announced`);
  }
  const handle = await open(partial, "r+");
  await handle.sync();
  await handle.close();
  await rename(partial, path);
}

interface Fetching {
  signal: AbortSignal | undefined;
  onBytes: ((bytes: number) => void) | undefined;
  gained: () => void;
}

async function fetchRest(hub: Hub, url: string, partial: string, file: HubFile, how: Fetching): Promise<void> {
  let have = (await stat(partial).catch(() => null))?.size ?? 0;
  if (have > file.bytes) {
    await rm(partial, { force: true });
    have = 0;
  }
  how.onBytes?.(have);
  if (have === file.bytes && have > 0) return;
  const headers: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  // Compressed on the way, neither ranges nor lengths would mean the file's.
  const response = await askHub(hub, url, {
    headers: { ...headers, "accept-encoding": "identity" },
    signal: how.signal,
  });
  if (response.status === 416 || (response.status === 206 && !continues(response, have, file))) {
    await response.body?.cancel();
    await rm(partial, { force: true });
    throw new Error("the hub does not go on where the file was cut off");
  }
  const start = response.status === 206 ? have : 0;
  const announced = response.headers.get("content-length");
  if (announced !== null && Number(announced) !== file.bytes - start) {
    await response.body?.cancel();
    throw new Error(
      `${file.name} is announced with ${Number(announced) + start} bytes, and was listed with ${file.bytes}`,
    );
  }
  await using handle = await open(partial, start === 0 ? "w" : "r+");
  const end = await writeBody(response, handle, { start, file, silenceMs: hub.silenceMs ?? SILENCE_MS, ...how });
  if (end !== file.bytes) throw new Error(`${file.name} broke off after ${end} of ${file.bytes} bytes`);
}

async function writeBody(
  response: Response,
  handle: FileHandle,
  how: Fetching & { start: number; file: HubFile; silenceMs: number },
): Promise<number> {
  const reader = response.body?.getReader();
  let at = how.start;
  const stop = () => void reader?.cancel(how.signal?.reason).catch(() => {});
  how.signal?.addEventListener("abort", stop, { once: true });
  try {
    while (reader) {
      how.signal?.throwIfAborted();
      const { value, done } = await inTime(reader.read(), how.silenceMs);
      if (done) break;
      if (at + value.byteLength > how.file.bytes) throw new Error(`${how.file.name} is longer than it was listed`);
      await handle.write(value, 0, value.byteLength, at);
      at += value.byteLength;
      how.gained();
      how.onBytes?.(at);
    }
    how.signal?.throwIfAborted();
    return at;
  } finally {
    how.signal?.removeEventListener("abort", stop);
    await reader?.cancel().catch(() => {});
  }
}

async function inTime<T>(work: Promise<T>, limitMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no byte for ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
}

function continues(response: Response, have: number, file: HubFile): boolean {
  const [, start, total] = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get("content-range") ?? "") ?? [];
  return Number(start) === have && (total === "*" || Number(total) === file.bytes);
}

async function hashOf(path: string, { hash, bytes }: HubFile, signal: AbortSignal | undefined): Promise<string> {
  let digest: Hash = createHash("sha256");
  if (hash.kind === "git-sha1") digest = createHash("sha1").update(`blob ${bytes}\0`);
  await pipeline(createReadStream(path), digest, signal ? { signal } : {});
  return digest.digest("hex");
}
