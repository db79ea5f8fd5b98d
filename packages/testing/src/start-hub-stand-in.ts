import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** How one answer goes wrong. */
export type HubFault =
  | { status: number; headers?: Record<string, string> }
  /** Half of the bytes, then the connection breaks. */
  | "cut"
  /** Half of the bytes, then silence. */
  | "stall"
  /** No answer. */
  | "hang"
  /** Other bytes, as many. */
  | "garble"
  /** Announces, and sends, fewer or more bytes than were listed. */
  | "short"
  | "long"
  /** Sends everything for a range. */
  | "no-ranges"
  /** Sends another range than was asked for. */
  | "other-range"
  | { redirect: string };

export type HubStandIn = {
  url: string;
  /** Where large files lie. */
  cdnUrl: string;
  requests: { host: "hub" | "cdn"; path: string; authorization: string | undefined; range: string | undefined }[];
  /** Adds a model; returns its commit. */
  add(repo: string, files: Record<string, string | Buffer>): string;
  /** The next `times` answers to requests that match go wrong so. */
  fail(match: RegExp, fault: HubFault, times?: number): void;
  /** Asks for this token, where it is set. */
  token: string | undefined;
  bytesSent: number;
  stop(): Promise<void>;
};

const LARGE = /\.(onnx|onnx_data|safetensors)$/;

/** Stands in for Hugging Face: answers as the hub does: its API, files of its own, and large ones by a redirect to another host. Both are on 127.0.0.1. */
export async function startHubStandIn(): Promise<HubStandIn> {
  const models = new Map<string, { commit: string; files: Map<string, Buffer> }>();
  const faults: { match: RegExp; fault: HubFault; times: number }[] = [];
  const blobs = new Map<string, Buffer>();

  const answer = (host: "hub" | "cdn") => (request: IncomingMessage, response: ServerResponse) => {
    const path = request.url ?? "/";
    const { authorization, range } = request.headers;
    hub.requests.push({ host, path, authorization, range });
    const found = faults.find(({ match, times }) => times > 0 && match.test(path));
    if (found) found.times -= 1;
    const fault = found?.fault;
    if (fault === "hang") return;
    if (typeof fault === "object" && "redirect" in fault) {
      return void response.writeHead(302, { location: fault.redirect }).end();
    }
    if (typeof fault === "object") return void response.writeHead(fault.status, fault.headers).end("no");
    if (host === "cdn") return send(response, blobs.get(path), range, fault);
    if (hub.token !== undefined && authorization !== `Bearer ${hub.token}`) return void response.writeHead(401).end();
    const [, repo, revision] = /^\/api\/models\/([^/]+\/[^/]+)\/revision\/([^?]+)\?blobs=true$/.exec(path) ?? [];
    const [, fileRepo, commit, name] = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path) ?? [];
    const model = models.get(repo ?? fileRepo ?? "");
    if (!model) return void response.writeHead(404).end();
    if (repo !== undefined) {
      if (revision !== "main" && revision !== model.commit) return void response.writeHead(404).end();
      const siblings = [...model.files].map(([rfilename, bytes]) => describe(rfilename, bytes));
      return void response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ sha: model.commit, siblings }));
    }
    const bytes = commit === model.commit ? model.files.get(decodeURIComponent(name ?? "")) : undefined;
    if (!bytes || !LARGE.test(name ?? "")) return send(response, bytes, range, fault);
    if (fault) return send(response, bytes, range, fault);
    const place = `/blobs/${sha256(bytes)}`;
    blobs.set(place, bytes);
    response.writeHead(302, { location: `${hub.cdnUrl}${place}` }).end();
  };

  function send(
    response: ServerResponse,
    bytes: Buffer | undefined,
    range: string | undefined,
    fault?: HubFault,
  ): void {
    if (!bytes) return void response.writeHead(404).end();
    const asked = fault === "no-ranges" ? undefined : /^bytes=(\d+)-$/.exec(range ?? "")?.[1];
    const start = asked === undefined ? 0 : Number(asked) + (fault === "other-range" ? 1 : 0);
    if (start >= bytes.length && asked !== undefined) return void response.writeHead(416).end();
    let body = bytes.subarray(start);
    if (fault === "garble") body = Buffer.from(body.map((byte) => byte ^ 255));
    if (fault === "short") body = body.subarray(0, -1);
    if (fault === "long") body = Buffer.concat([body, Buffer.alloc(7)]);
    const headers = { "content-length": String(body.length) };
    const place = { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(asked === undefined ? 200 : 206, asked === undefined ? headers : { ...headers, ...place });
    const half = fault === "cut" || fault === "stall" ? body.subarray(0, Math.ceil(body.length / 2)) : body;
    hub.bytesSent += half.length;
    if (fault === "cut") response.write(half, () => setTimeout(() => response.destroy(), 20));
    else if (fault === "stall") response.write(half);
    else response.end(half);
  }

  const servers = [createServer(answer("hub")), createServer(answer("cdn"))];
  const [url, cdnUrl] = await Promise.all(servers.map(listen));
  const hub: HubStandIn = {
    url: url!,
    cdnUrl: cdnUrl!,
    requests: [],
    token: undefined,
    bytesSent: 0,
    add(repo, files) {
      const contents = new Map(Object.entries(files).map(([name, bytes]) => [name, Buffer.from(bytes)]));
      const commit = createHash("sha1")
        .update(JSON.stringify([...contents]))
        .digest("hex");
      models.set(repo, { commit, files: contents });
      return commit;
    },
    fail: (match, fault, times = 1) => void faults.push({ match, fault, times }),
    async stop() {
      for (const server of servers) {
        server.closeAllConnections();
        await new Promise<void>((done) => server.close(() => done()));
      }
    },
  };
  return hub;
}

function describe(rfilename: string, bytes: Buffer) {
  const blobId = createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
  const lfs = { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 };
  return { rfilename, size: bytes.length, blobId, ...(LARGE.test(rfilename) ? { lfs } : {}) };
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function listen(server: Server): Promise<string> {
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => done(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
  });
}
