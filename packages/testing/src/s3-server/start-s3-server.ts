import { AsyncLocalStorage } from "node:async_hooks";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import S3rver from "@20minutes/s3rver";
import { type Conditions, type OpenUpload, WholeObjects } from "./whole-objects.ts";

export interface S3Server {
  endpoint: string;
  bucket: string;
  credentials: { accessKeyId: string; secretAccessKey: string };
  /** Every request, as `PUT /key?uploadId…`. */
  requests: string[];
  /** Answers the next requests that match with a fault: a status, a cut connection, or silence. */
  fail(fault: { match: RegExp; with: number | "cut" | "hang"; times?: number }): void;
  /** Breaks every connection. */
  cutAll(): void;
  /** Parts that wait for the end of their upload, and files that belong to no object. */
  leftovers(): Promise<string[]>;
  uploads(): OpenUpload[];
  stop(): Promise<void>;
}

/** The only credentials that s3rver knows. */
const CREDENTIALS = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };

/**
 * Starts s3rver, a third party's S3 server, with a bucket: its HTTP, XML and check of signatures, over a store of ours.
 * It lacks conditional requests, whole-or-nothing writes, and listing and giving up uploads in parts, which are added.
 */
export async function startS3Server(bucket = "scribe-test"): Promise<S3Server> {
  const folder = await mkdtemp(join(tmpdir(), "scribe-s3-"));
  const conditions = new AsyncLocalStorage<Conditions>();
  const store = new WholeObjects(bucket, folder, () => conditions.getStore() ?? {});
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory: folder,
    vhostBuckets: false,
    configureBuckets: [],
  });
  server.logger.silent = true;
  server.store = store;
  server.context.store = store;
  // It takes `/bucket/`, which clients sign, for `/bucket`, and refuses every listing: there alone it does not check.
  Object.defineProperty(server, "allowMismatchedSignatures", { get: () => conditions.getStore()?.listing === true });
  // A client that goes away is not the server's matter.
  server.on("error", () => {});
  const requests: string[] = [];
  const faults: { match: RegExp; with: number | "cut" | "hang"; times: number }[] = [];

  server.middleware.unshift(
    async (context, next) => {
      const line = `${context.method} ${context.req.url ?? ""}`;
      requests.push(line);
      const fault = faults.find(({ match, times }) => times > 0 && match.test(line));
      if (!fault) return next();
      fault.times -= 1;
      if (fault.with === "cut") context.req.socket.destroy();
      if (typeof fault.with !== "number") return new Promise((done) => context.req.socket.once("close", done));
      context.req.resume();
      context.status = fault.with;
      context.type = "application/xml";
      context.body = "<Error><Code>Injected</Code><Message>injected</Message></Error>";
    },
    (context, next) => {
      const header = (name: string) => context.get(name) || undefined;
      const asked: Conditions = {
        ifNoneMatch: header("if-none-match"),
        ifMatch: header("if-match"),
        copySourceIfMatch: header("x-amz-copy-source-if-match"),
        listing: context.method === "GET" && context.query["list-type"] !== undefined,
      };
      return conditions.run(asked, next);
    },
    async (context, next) => {
      const { uploadId } = context.query;
      if (context.method === "DELETE" && uploadId !== undefined) {
        await store.dropUpload(uploadId);
        context.status = 204;
      } else if (context.method === "GET" && context.query.uploads !== undefined) {
        context.type = "application/xml";
        context.body = listUploads(bucket, [...store.uploads.values()]);
      } else await next();
    },
  );

  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    credentials: CREDENTIALS,
    requests,
    fail: ({ times = 1, ...fault }) => void faults.push({ ...fault, times }),
    cutAll: () => server.httpServer.closeAllConnections(),
    async leftovers() {
      const look = async () => {
        const known = new Set([...store.objects.values()].map(({ path }) => path));
        const files = (await readdir(folder)).map((name) => join(folder, name));
        return [...files.filter((path) => !known.has(path)), ...store.uploads.keys()];
      };
      // The server notices a moment later that its client has gone.
      for (let tries = 0; tries < 20 && (await look()).length > 0; tries++) await sleep(50);
      return look();
    },
    uploads: () => [...store.uploads.values()],
    async stop() {
      server.httpServer.closeAllConnections();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function listUploads(bucket: string, uploads: readonly OpenUpload[]): string {
  const items = uploads.map(
    ({ id, key, begunAt }) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${begunAt.toISOString()}</Initiated></Upload>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Bucket>${bucket}</Bucket>${items.join("")}<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>`;
}
