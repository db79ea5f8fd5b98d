import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { basename } from "node:path";
import { pipeline } from "node:stream/promises";
import { listenLocally } from "./listen-locally.ts";

/** A web server for one file, as somebody's recordings might lie on one. */
export async function serveFile(path: string): Promise<{ url: string; close(): Promise<void> }> {
  const name = `/${basename(path)}`;
  const server = createServer((request, response) => {
    if (request.url !== name) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "audio/wav", "content-length": statSync(path).size });
    // A caller that goes away in the middle is its own affair.
    pipeline(createReadStream(path), response).catch(() => response.destroy());
  });
  const { url, close } = await listenLocally(server);
  return { url: url + name, close };
}
