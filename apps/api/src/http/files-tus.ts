import { RequestError, uuidV7 } from "@scribe/domain";
import { Server } from "@tus/server";
import type { Request, Response } from "express";
import type { Api } from "../api.ts";
import { type Answer, defineRoute, type Method } from "../openapi/route.ts";
import { TenantDataStore } from "../tus/tenant-data-store.ts";
import { createUploadLocker } from "../tus/upload-locker.ts";
import { whenClosed } from "../when-closed.ts";
import { whileSending } from "../while-sending.ts";
import { refuseIdempotencyKey } from "./idempotency.ts";

const PATH = "/api/v1/files/tus";
const VERSION = "1.0.0";
/** Between the wish of another to go on and the end of who still writes. */
const LET_GO_MS = 200;

const shared = { tag: "Files", query: "anything" } as const;
const tusHeaders = { "Tus-Resumable": "`1.0.0`" };

export const describeTus = defineRoute({
  ...shared,
  method: "options",
  path: PATH,
  operationId: "describeResumableUploads",
  summary: "What of the tus protocol there is",
  scope: null,
  answers: {
    204: {
      description: "`Tus-Version`, `Tus-Extension`, `Tus-Max-Size`",
      headers: { "Tus-Version": "Versions", "Tus-Extension": "Extensions", "Tus-Max-Size": "Bytes" },
    },
  },
  handle:
    (api) =>
    ({ response }) => {
      response.setHeader("Tus-Resumable", VERSION);
      response.setHeader("Tus-Version", VERSION);
      response.setHeader("Tus-Extension", "creation,creation-with-upload,termination,expiration");
      response.setHeader("Tus-Max-Size", String(api.config.http.MAX_UPLOAD_BYTES));
      response.status(204).end();
    },
});

export const createTus = tusRoute({
  method: "post",
  path: PATH,
  operationId: "createResumableUpload",
  summary: "Begin a resumable upload (tus 1.0.0)",
  description:
    "`Upload-Length` is required; of `Upload-Metadata`, `filename` is kept. The last part of `Location` is the `upload_id`: with the last byte it is a source for jobs, for 24 hours unused.",
  answers: { 201: { description: "Begun", headers: { Location: "Where the bytes go, relative" } } },
});

export const readTus = tusRoute({
  method: "get",
  path: `${PATH}/{id}`,
  operationId: "readResumableUpload",
  summary: "How far a resumable upload is; asked with HEAD",
  answers: { 200: { description: "How far it is", headers: { "Upload-Offset": "Bytes", "Upload-Length": "Bytes" } } },
});

export const patchTus = tusRoute({
  method: "patch",
  path: `${PATH}/{id}`,
  operationId: "continueResumableUpload",
  summary: "Send bytes of a resumable upload",
  description:
    "409 where `Upload-Offset` is not where it stands, 423 while another request writes, 415 where the whole is no audio or video.",
  answers: { 204: { description: "They are stored", headers: { "Upload-Offset": "Bytes" } } },
});

export const deleteTus = tusRoute({
  method: "delete",
  path: `${PATH}/{id}`,
  operationId: "abandonResumableUpload",
  summary: "Give a resumable upload up",
  answers: { 204: { description: "Nothing of it stays" } },
});

interface TusRoute {
  method: Method;
  path: string;
  operationId: string;
  summary: string;
  description?: string;
  answers: Record<number, Answer>;
}

function tusRoute(route: TusRoute) {
  const sends = route.method === "post" || route.method === "patch";
  return defineRoute({
    ...shared,
    ...route,
    scope: "transcribe",
    headers: tusHeaders,
    ...(route.method === "patch" ? { body: { kind: "bytes" } } : {}),
    handle:
      (api: Api) =>
      async ({ request, response, caller }) => {
        refuseWrongVersion(request);
        if (route.method === "post") refuseIdempotencyKey(request);
        response.setHeader("Tus-Resumable", VERSION);
        if (sends) whenClosed(response, api.uploadSlots.take(caller.keyId));
        await serve(api, request, response, caller.tenantId);
      },
  });
}

function refuseWrongVersion(request: Request): void {
  if (request.method === "GET") {
    throw new RequestError("invalid_request", "Ask with HEAD.", {
      status: 405,
      headers: { Allow: "HEAD, PATCH, DELETE" },
    });
  }
  if (request.get("tus-resumable") !== VERSION) {
    const headers = { "Tus-Version": VERSION };
    throw new RequestError("invalid_request", `\`Tus-Resumable\` must be ${VERSION}.`, { status: 412, headers });
  }
  if (request.method === "POST" && Number(request.get("upload-length") ?? 0) < 1) {
    throw new RequestError("invalid_request", "`Upload-Length` must say how many bytes will come.");
  }
}

/** One request by the protocol's own server, on the tenant's own uploads; what fails is told as problems, like elsewhere. */
async function serve(api: Api, request: Request, response: Response, tenantId: string): Promise<void> {
  const datastore = new TenantDataStore(api, tenantId);
  const takesOver = request.method === "HEAD" || request.method === "DELETE";
  const server = new Server({
    path: PATH,
    datastore,
    locker: createUploadLocker({ db: api.db, takesOver, settled: datastore.settled }),
    relativeLocation: true,
    maxSize: api.config.http.MAX_UPLOAD_BYTES,
    namingFunction: () => uuidV7(),
    lockDrainTimeout: LET_GO_MS,
    // Origins are ours to say, before this.
    allowedOrigins: () => false,
    onResponseError: (_request, error) => {
      throw toProblem(error);
    },
  });
  const limits = {
    idleMs: api.waits.uploadIdleMs,
    pace: { minBytesPerSecond: api.config.limits.UPLOAD_MIN_BYTES_PER_SECOND, windowMs: api.waits.uploadPaceMs },
  };
  await whileSending(request, limits, async (signal) => {
    signal.addEventListener("abort", () => request.destroy(signal.reason as Error), { once: true });
    await server.handle(request, response);
  });
}

function toProblem(error: Error | { status_code: number; body: string }): Error {
  if (error instanceof Error) return error;
  const { status_code: status, body } = error;
  if (status === 404 || status === 410) return new RequestError("not_found", "There is no such upload.", { status });
  if (status === 413)
    return new RequestError("payload_too_large", "The upload is larger than is allowed, or than it said.");
  if (status === 409)
    return new RequestError("conflict", "`Upload-Offset` is not where the upload stands; ask with HEAD.");
  return new RequestError("invalid_request", body.trim(), { status });
}
