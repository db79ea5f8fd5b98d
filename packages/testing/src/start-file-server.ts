import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How a served file misbehaves. */
export type FileFault =
  /** Accepts the request and never answers. */
  | "hang"
  /** Sends half of the bytes, then nothing more. */
  | "hang-midway"
  /** Breaks the connection after half of the bytes. */
  | "reset-midway"
  /** Announces a Content-Length larger than what it sends, and ends. */
  | "claims-more"
  /** Announces a Content-Length smaller than what it sends. */
  | "claims-less"
  /** Sends no Content-Length (chunked). */
  | "no-length"
  /** Redirects to itself, for ever. */
  | "redirect-forever";

export type ServedFile = {
  bytes?: Uint8Array;
  contentType?: string;
  /** Default 200. */
  status?: number;
  headers?: Record<string, string>;
  fault?: FileFault;
  /** Bytes a second; default as fast as it goes. */
  bytesPerSecond?: number;
  /** Answers 302 with this Location. */
  redirectTo?: string;
};

export type FileServer = {
  url: string;
  port: number;
  /** Paths that were asked for, in order, with the request's headers. */
  requests: Array<{ path: string; headers: IncomingMessage["headers"] }>;
  /** Serves `file` at `/name` from now on and returns its address. Anything else is 404. */
  serve(name: string, file: ServedFile | Uint8Array): string;
  stop(): Promise<void>;
};

/** A web server on 127.0.0.1 that hands out bytes, honestly or with a fault. */
export async function startFileServer(): Promise<FileServer> {
  const files = new Map<string, ServedFile>();
  const requests: FileServer["requests"] = [];
  const stopped = new AbortController();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://files").pathname;
    requests.push({ path, headers: request.headers });
    const file = files.get(path.slice(1));
    if (!file) response.writeHead(404, { "content-type": "text/plain" }).end("no such file\n");
    else answer(request, response, file, stopped.signal).catch(() => response.destroy());
  });
  const port = await new Promise<number>((done, failed) => {
    server.once("error", failed);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      done(typeof address === "object" && address ? address.port : 0);
    });
  });
  const url = `http://127.0.0.1:${port}`;
  return {
    url,
    port,
    requests,
    serve(name, file) {
      files.set(name, file instanceof Uint8Array ? { bytes: file } : file);
      return `${url}/${name}`;
    },
    async stop() {
      stopped.abort();
      server.closeAllConnections();
      await new Promise<void>((done) => server.close(() => done()));
    },
  };
}

async function answer(request: IncomingMessage, response: ServerResponse, file: ServedFile, signal: AbortSignal) {
  const { fault, bytes = new Uint8Array() } = file;
  if (fault === "hang") return;
  const redirectTo = fault === "redirect-forever" ? request.url : file.redirectTo;
  if (redirectTo) return void response.writeHead(302, { location: redirectTo, ...file.headers }).end();
  const half = Math.floor(bytes.length / 2);
  const claimed = { "claims-more": bytes.length * 2 + 1, "claims-less": half }[fault as string] ?? bytes.length;
  const headers: Record<string, string> = { "content-type": file.contentType ?? "audio/wav", ...file.headers };
  if (fault === "claims-less") return sendRaw(response, headers, claimed, bytes);
  if (fault !== "no-length") headers["content-length"] = String(claimed);
  response.writeHead(file.status ?? 200, headers);
  if (request.method === "HEAD") return void response.end();
  const cutShort = fault === "hang-midway" || fault === "reset-midway";
  await send(response, cutShort ? bytes.subarray(0, half) : bytes, file.bytesPerSecond, signal);
  if (fault === "hang-midway") return;
  if (fault === "reset-midway") return void request.socket.resetAndDestroy();
  if (fault === "claims-more") return void request.socket.end();
  response.end();
}

/** Node refuses to send more than it announced, so the answer is written by hand. */
function sendRaw(response: ServerResponse, headers: Record<string, string>, claimed: number, bytes: Uint8Array): void {
  const lines = Object.entries({ ...headers, "content-length": String(claimed), connection: "close" });
  const { socket } = response;
  socket?.write(`HTTP/1.1 200 OK\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
  socket?.end(bytes);
}

async function send(
  response: ServerResponse,
  bytes: Uint8Array,
  bytesPerSecond: number | undefined,
  signal: AbortSignal,
) {
  const stepMs = 50;
  const step = bytesPerSecond ? Math.max(1, Math.floor((bytesPerSecond * stepMs) / 1000)) : 256 * 1024;
  for (let at = 0; at < bytes.length; at += step) {
    if (response.destroyed) return;
    const flushed = response.write(bytes.subarray(at, at + step));
    if (bytesPerSecond) await sleep(stepMs, undefined, { signal });
    else if (!flushed) await new Promise((go) => response.once("drain", go).once("close", go));
  }
}
