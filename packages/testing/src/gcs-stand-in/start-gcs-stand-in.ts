import { generateKeyPairSync, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { writeCrc } from "./crc32c.ts";
import { describeObject, type StoredObject, StoredObjects } from "./stored-objects.ts";
import { verifySignedUrl } from "./verify-signed-url.ts";

export interface GcsFault {
  /** Of the request, as `PUT /upload/…?name=…`. */
  match: RegExp;
  /** A status; a cut connection; silence; of a chunk only the first 256 KiB are kept. */
  with: number | "cut" | "hang" | "lose";
  times?: number;
}

export interface GcsStandIn {
  endpoint: string;
  bucket: string;
  /** A key file of a service account that is known here alone. */
  keyFile: string;
  requests: string[];
  fail(fault: GcsFault): void;
  cutAll(): void;
  /** Upload sessions that are open, and files that belong to nothing. */
  leftovers(): Promise<string[]>;
  sessions(): { name: string; bytes: number }[];
  stop(): Promise<void>;
}

const EMAIL = "tests@scribe-stand-in.iam.gserviceaccount.com";
/** Chunks but the last are multiples of this, and that much of one is kept where the rest is lost. */
const CHUNK_UNIT = 256 * 1024;

let keys: { publicKey: import("node:crypto").KeyObject; pem: string } | undefined;

function accountKeys() {
  if (keys) return keys;
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  keys = { publicKey, pem: privateKey.export({ type: "pkcs8", format: "pem" }) as string };
  return keys;
}

/**
 * Stands in for Google Cloud Storage: the part of its JSON API that a store needs (resumable uploads, reads by range
 * and generation, lists, removals, rewrites) and addresses signed as V4 describes. It asks for no token. What it does
 * not know it answers with 501, so that nothing passes here by accident.
 */
export async function startGcsStandIn(bucket = "scribe-test"): Promise<GcsStandIn> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-gcs-"));
  const store = new StoredObjects(join(folder, "objects"));
  await mkdir(join(folder, "objects"));
  const { publicKey, pem } = accountKeys();
  const keyFile = join(folder, "account.json");
  const account = { type: "service_account", project_id: "scribe-stand-in", client_email: EMAIL, private_key: pem };
  await writeFile(keyFile, JSON.stringify(account));
  const requests: string[] = [];
  const faults: Required<GcsFault>[] = [];

  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    requests.push(line);
    const fault = faults.find(({ match, times }) => times > 0 && match.test(line));
    if (fault) fault.times -= 1;
    if (fault?.with === "cut") return void request.socket.destroy();
    if (fault?.with === "hang") return;
    if (typeof fault?.with === "number") {
      request.resume();
      return sendError(response, fault.with, "injected");
    }
    answer(request, response, fault?.with === "lose").catch(() => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  async function answer(request: IncomingMessage, response: ServerResponse, lose: boolean): Promise<void> {
    const url = new URL(request.url ?? "/", endpoint);
    // Clients that are pointed here by STORAGE_EMULATOR_HOST leave the API's own path out.
    const path = url.pathname.replace(/^\/storage\/v1(?=\/b\/)/, "");
    const session = store.sessions.get(url.searchParams.get("upload_id") ?? "");
    if (path.startsWith("/upload/")) {
      if (request.method === "POST") return beginUpload(request, response, url);
      if (!session) return sendError(response, 404, "no such upload");
      if (request.method === "DELETE") {
        await store.drop(session);
        return void response.writeHead(499).end();
      }
      return continueUpload(request, response, session, lose);
    }
    const [, ofBucket, inside, to] =
      /^\/b\/([^/]+)\/o(?:\/([^/]+)(?:\/rewriteTo\/b\/[^/]+\/o\/([^/]+))?)?$/.exec(path) ?? [];
    if (ofBucket === undefined) return answerSigned(request, response, url);
    if (ofBucket !== bucket) return sendError(response, 404, "The specified bucket does not exist.");
    if (inside === undefined) return listObjects(response, url.searchParams);
    const object = store.objects.get(decodeURIComponent(inside));
    const generation = url.searchParams.get(to === undefined ? "generation" : "sourceGeneration");
    if (!object || (generation !== null && generation !== object.generation)) {
      return sendError(response, 404, "No such object");
    }
    if (to !== undefined && request.method === "POST") {
      const copied = await store.copy(object, decodeURIComponent(to));
      return sendJson(response, 200, {
        ...{ kind: "storage#rewriteResponse", done: true, objectSize: String(copied.bytes) },
        totalBytesRewritten: String(copied.bytes),
        resource: describeObject(bucket, copied),
      });
    }
    if (request.method === "DELETE") {
      await store.remove(object.name);
      return void response.writeHead(204).end();
    }
    if (request.method !== "GET") return sendError(response, 501, "not known to the stand-in");
    if (url.searchParams.get("alt") === "media") return sendBytes(request, response, object);
    sendJson(response, 200, describeObject(bucket, object));
  }

  async function beginUpload(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { searchParams: query } = url;
    if (!url.pathname.includes(`/b/${bucket}/`))
      return sendError(response, 404, "The specified bucket does not exist.");
    if (query.get("uploadType") === "multipart") return putAtOnce(request, response, query);
    if (query.get("uploadType") !== "resumable") return sendError(response, 501, "not known to the stand-in");
    const about = JSON.parse((await readText(request)) || "{}") as { contentType?: string; name?: string };
    const contentType = request.headers["x-upload-content-type"] ?? about.contentType ?? "application/octet-stream";
    const id = randomUUID();
    const path = store.newPath();
    await writeFile(path, "");
    store.sessions.set(id, {
      ...{ id, path, bytes: 0, crc: 0, contentType: String(contentType) },
      name: query.get("name") ?? about.name ?? "",
      ifGenerationMatch: query.get("ifGenerationMatch") ?? undefined,
    });
    response.writeHead(200, { location: `${endpoint}/upload/storage/v1/b/${bucket}/o?upload_id=${id}` }).end();
  }

  /** `multipart/related`: the object's JSON, then its bytes. */
  async function putAtOnce(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): Promise<void> {
    const [, boundary] = /boundary="?([^";]+)/.exec(request.headers["content-type"] ?? "") ?? [];
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const form = Buffer.concat(chunks);
    const jsonFrom = form.indexOf("\r\n\r\n") + 4;
    const jsonTo = form.indexOf(`\r\n--${boundary}`, jsonFrom);
    const bytesFrom = form.indexOf("\r\n\r\n", jsonTo) + 4;
    const about = JSON.parse(form.subarray(jsonFrom, jsonTo).toString()) as { contentType?: string };
    const bytes = { path: store.newPath(), bytes: 0, crc: 0 };
    await writeFile(bytes.path, "");
    const content = form.subarray(bytesFrom, form.lastIndexOf(`\r\n--${boundary}--`));
    await store.append(bytes, Readable.from(content.length > 0 ? [content] : []));
    const object = await store.place(bytes, {
      name: query.get("name") ?? "",
      contentType: about.contentType ?? "application/octet-stream",
      ifGenerationMatch: query.get("ifGenerationMatch") ?? undefined,
    });
    if (!object) return sendError(response, 412, "At least one of the pre-conditions you specified did not hold.");
    sendJson(response, 200, describeObject(bucket, object));
  }

  async function continueUpload(
    request: IncomingMessage,
    response: ServerResponse,
    session: NonNullable<ReturnType<typeof store.sessions.get>>,
    lose: boolean,
  ): Promise<void> {
    const range = /^bytes (?:(\d+)-(\d+|\*)|\*)\/(\d+|\*)$/.exec(request.headers["content-range"] ?? "");
    if (!range) return sendError(response, 400, "a Content-Range is needed");
    const [, start, , total] = range;
    if (start !== undefined && Number(start) !== session.bytes) return sendError(response, 400, "not where it stopped");
    await store.append(session, request, lose ? CHUNK_UNIT : undefined);
    if (total === "*" || Number(total) !== session.bytes) {
      const range = session.bytes > 0 ? { range: `bytes=0-${session.bytes - 1}` } : {};
      return void response.writeHead(308, { ...range, "content-length": "0" }).end();
    }
    store.sessions.delete(session.id);
    const object = await store.place(session, session);
    if (!object) return sendError(response, 412, "At least one of the pre-conditions you specified did not hold.");
    sendJson(response, 200, describeObject(bucket, object));
  }

  function listObjects(response: ServerResponse, query: URLSearchParams): void {
    const [prefix, after] = [query.get("prefix") ?? "", query.get("pageToken") ?? ""];
    const names = [...store.objects.keys()].filter((name) => name.startsWith(prefix) && name > after).sort();
    const shown = names.slice(0, Number(query.get("maxResults") ?? 1000));
    const items = shown.map((name) => describeObject(bucket, store.objects.get(name)!));
    const more = shown.length < names.length ? { nextPageToken: shown.at(-1) } : {};
    sendJson(response, 200, { kind: "storage#objects", items, ...more });
  }

  /** The XML API, as signed addresses use it: `PUT` and `GET /bucket/name`. */
  async function answerSigned(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const name = decodeURIComponent(url.pathname).slice(bucket.length + 2);
    if (!url.pathname.startsWith(`/${bucket}/`)) return sendError(response, 404, "NoSuchBucket");
    if (!url.searchParams.has("X-Goog-Signature")) return sendError(response, 401, "anonymous");
    const wrong = verifySignedUrl(request, url, publicKey, EMAIL);
    if (wrong !== null) return sendError(response, wrong === "ExpiredToken" ? 400 : 403, wrong);
    if (request.method === "GET") {
      const object = store.objects.get(name);
      if (!object) return sendError(response, 404, "NoSuchKey");
      const disposition = url.searchParams.get("response-content-disposition");
      if (disposition !== null) response.setHeader("content-disposition", disposition);
      return sendBytes(request, response, object);
    }
    if (request.method !== "PUT") return sendError(response, 501, "not known to the stand-in");
    const [least, most] = String(request.headers["x-goog-content-length-range"] ?? "0,").split(",");
    const length = Number(request.headers["content-length"]);
    if (length < Number(least) || (most !== "" && length > Number(most)))
      return sendError(response, 400, "EntityTooLarge");
    const bytes = { path: store.newPath(), bytes: 0, crc: 0 };
    try {
      await store.append(bytes, request);
    } catch (error) {
      await rm(bytes.path, { force: true });
      throw error;
    }
    await store.place(bytes, { name, contentType: request.headers["content-type"] ?? "application/octet-stream" });
    response.writeHead(200).end();
  }

  async function sendBytes(request: IncomingMessage, response: ServerResponse, object: StoredObject): Promise<void> {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const start = range ? Number(range[1]) : 0;
    if (range && start >= object.bytes) return sendError(response, 416, "The requested range cannot be satisfied.");
    const end = Math.min(range?.[2] ? Number(range[2]) : Number.POSITIVE_INFINITY, object.bytes - 1);
    response.writeHead(range ? 206 : 200, {
      "content-type": object.contentType,
      "content-length": end - start + 1,
      "x-goog-generation": object.generation,
      "x-goog-stored-content-encoding": "identity",
      "x-goog-hash": `crc32c=${writeCrc(object.crc)}`,
      ...(range && { "content-range": `bytes ${start}-${end}/${object.bytes}` }),
    });
    if (object.bytes === 0) return void response.end();
    await pipeline(await store.read(object, start, end), response);
  }

  return {
    endpoint,
    bucket,
    keyFile,
    requests,
    fail: (fault) => void faults.push({ times: 1, ...fault }),
    cutAll: () => server.closeAllConnections(),
    async leftovers() {
      const look = async () => {
        const known = new Set([...store.objects.values()].map(({ path }) => path));
        const files = (await readdir(join(folder, "objects"))).map((name) => join(folder, "objects", name));
        return files.filter((path) => !known.has(path));
      };
      // A client that went away, or that gave an upload up, is noticed a moment later.
      for (let tries = 0; tries < 20 && (await look()).length > 0; tries++) await sleep(50);
      return look();
    },
    sessions: () => [...store.sessions.values()],
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request.setEncoding("utf8")) text += chunk;
  return text;
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function sendError(response: ServerResponse, code: number, message: string): void {
  sendJson(response, code, { error: { code, message, errors: [{ message, domain: "global", reason: "standIn" }] } });
}
