import { once } from "node:events";
import { text } from "node:stream/consumers";
import { afterEach, expect, test } from "@jest/globals";
import type { Lookup } from "../src/index.ts";
import { closeAll, failure, open, read, serve, serveRaw } from "./client-bench.ts";

afterEach(closeAll);

test("hands over status, headers and body, and says where they came from", async () => {
  const { port } = await serve((request, response) => {
    response.setHeader("X-Twice", ["a", "b"]);
    response.statusCode = 203;
    response.end(`${request.method} ${request.url} ${request.headers.host} ${request.headers["accept-encoding"]}`);
  });
  const answer = await open().fetchStream(`http://127.0.0.1:${port}/a%20b?c=d#e`, {
    headers: { "Accept-Encoding": "gzip" },
  });
  expect(answer).toMatchObject({
    status: 203,
    finalUrl: `http://127.0.0.1:${port}/a%20b?c=d#e`,
    remoteAddress: "127.0.0.1",
    remoteIsPrivate: true,
  });
  expect(answer.headers["x-twice"]).toBe("a, b");
  expect(await text(answer.body)).toBe(`GET /a%20b?c=d 127.0.0.1:${port} identity`);
});

test("sends a body", async () => {
  const { port } = await serve(async (request, response) => response.end(await text(request)));
  const body = "x".repeat(300_000);
  expect(await read(open(), `http://127.0.0.1:${port}/`, { method: "POST", body })).toBe(body);
  const bytes = Buffer.from("bytes");
  expect(await read(open(), `http://127.0.0.1:${port}/`, { method: "POST", body: bytes })).toBe("bytes");
});

test("no proxy of the environment is used", async () => {
  const proxy = await serve((_request, response) => response.end("proxy"));
  const server = await serve((_request, response) => response.end("server"));
  const before = { ...process.env };
  const address = `http://127.0.0.1:${proxy.port}`;
  Object.assign(process.env, {
    HTTP_PROXY: address,
    http_proxy: address,
    ALL_PROXY: address,
    NODE_USE_ENV_PROXY: "1",
  });
  try {
    expect(await read(open(), `http://127.0.0.1:${server.port}/`)).toBe("server");
  } finally {
    process.env = before;
  }
  expect(proxy.connections()).toBe(0);
});

test("each request has a connection of its own, which does not outlive it", async () => {
  const server = await serve((_request, response) => response.end("x"));
  const client = open();
  for (let i = 0; i < 3; i++) await read(client, `http://127.0.0.1:${server.port}/`);
  expect(server.connections()).toBe(3);
});

test("follows five redirects, and no sixth; secrets stay with the first origin", async () => {
  const seen: unknown[] = [];
  const other = await serve((request, response) => {
    seen.push(request.headers.authorization, request.headers["x-api-key"], request.headers.range);
    response.end("there");
  });
  const server = await serve((request, response) => {
    const left = Number(request.url!.slice(1));
    const location = left === 1 ? `http://127.0.0.1:${other.port}/` : `/${left - 1}`;
    response.writeHead([301, 302, 303, 307, 308][left % 5]!, { location }).end();
  });
  const headers = { Authorization: "Bearer secret", "X-Api-Key": "secret", Range: "bytes=0-" };
  const client = open();
  const answer = await client.fetchStream(`http://127.0.0.1:${server.port}/5`, { redirect: "follow", headers });
  expect(await text(answer.body)).toBe("there");
  expect(answer.finalUrl).toBe(`http://127.0.0.1:${other.port}/`);
  expect(seen).toEqual([undefined, undefined, "bytes=0-"]);
  expect(await failure(client.fetchStream(`http://127.0.0.1:${server.port}/6`, { redirect: "follow" }))).toBe(
    "too_many_redirects",
  );
  const refused = await client.fetchStream(`http://127.0.0.1:${server.port}/3`);
  expect(refused.status).toBe(307);
  refused.body.destroy();
  await expect(client.fetchStream("http://127.0.0.1/", { method: "POST", redirect: "follow" })).rejects.toThrow(
    TypeError,
  );
});

test("the caller's signal ends it at any point, with the caller's reason", async () => {
  const silent = await serveRaw(() => {});
  const endless = await serve((_request, response) => {
    response.write("some");
  });
  const stops = () => AbortSignal.timeout(100);
  const reason = { name: "TimeoutError" };
  const hanging: Lookup = () => new Promise(() => {});
  await expect(
    open({}, { lookup: hanging }).fetchStream("http://a.example/", { signal: stops() }),
  ).rejects.toMatchObject(reason);
  const url = `http://127.0.0.1:${silent.port}/`;
  await expect(open().fetchStream(url, { signal: stops() })).rejects.toMatchObject(reason);
  await expect(open().fetchStream(url.replace("http:", "https:"), { signal: stops() })).rejects.toMatchObject(reason);
  await expect(read(open(), `http://127.0.0.1:${endless.port}/`, { signal: stops() })).rejects.toMatchObject(reason);
  await expect(open().fetchStream(url, { signal: AbortSignal.abort("no") })).rejects.toBe("no");
});

test("a body that is destroyed frees its connection at once", async () => {
  let closed: Promise<unknown> = Promise.resolve();
  const { port } = await serve((request, response) => {
    closed = once(request.socket, "close");
    response.write("some");
  });
  const { body } = await open().fetchStream(`http://127.0.0.1:${port}/`);
  body.once("data", () => body.destroy());
  await once(body, "close");
  await closed;
});

test("closing the client ends what is under way", async () => {
  const { port } = await serve((_request, response) => {
    response.write("some");
  });
  const client = open();
  const { body } = await client.fetchStream(`http://127.0.0.1:${port}/`);
  const reading = failure(text(body));
  await client.close();
  expect(await reading).toBe("The outbound client was closed.");
  expect(await failure(client.fetchStream(`http://127.0.0.1:${port}/`))).toBe("The outbound client was closed.");
});
