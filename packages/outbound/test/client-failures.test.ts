import { once } from "node:events";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { buffer } from "node:stream/consumers";
import type { TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "@jest/globals";
import type { Lookup } from "../src/index.ts";
import { CERTIFICATE, PRIVATE_KEY } from "./certificate.ts";
import { closeAll, failure, LOOPBACK_OPEN, listen, open, read, serve, serveRaw } from "./client-bench.ts";

afterEach(closeAll);

test("a name that is not there, a port where no one listens", async () => {
  const lookup: Lookup = async (name) => {
    if (name === "empty.example") return [];
    throw Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" });
  };
  expect(await failure(open({}, { lookup }).fetchStream("http://gone.example/"))).toBe("dns");
  expect(await failure(open({}, { lookup }).fetchStream("http://empty.example/"))).toBe("dns");
  const closed = createTcpServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  expect(await failure(open().fetchStream(`http://127.0.0.1:${port}/`))).toBe("connect");
});

test("a name server, a connection and a handshake that hang end in time", async () => {
  const limits = { connectTimeoutMs: 150 };
  const hanging: Lookup = () => new Promise(() => {});
  expect(await failure(open({}, { lookup: hanging }).fetchStream("http://slow.example/", { limits }))).toBe("connect");
  const silent = await serveRaw(() => {});
  expect(await failure(open().fetchStream(`https://127.0.0.1:${silent.port}/`, { limits }))).toBe("connect");
});

test("a server that does not speak TLS, or HTTP", async () => {
  const plain = await serve((_request, response) => response.end());
  expect(await failure(open().fetchStream(`https://127.0.0.1:${plain.port}/`))).toBe("tls");
  const garbage = await serveRaw((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n\r\n"));
  expect(await failure(open().fetchStream(`http://127.0.0.1:${garbage.port}/`))).toBe("protocol");
  const mute = await serveRaw((socket) => socket.once("data", () => socket.end()));
  expect(await failure(open().fetchStream(`http://127.0.0.1:${mute.port}/`))).toBe("protocol");
});

test("a certificate must be one that is trusted, and of that very name", async () => {
  const server = createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY }, (request, response) => {
    response.end(`${request.headers.host} ${(request.socket as TLSSocket).servername}`);
  });
  const { port } = await listen(server, "127.0.0.1");
  const lookup: Lookup = async () => [{ address: "127.0.0.1", family: 4 }];
  const trusting = open(LOOPBACK_OPEN, { lookup, ca: CERTIFICATE });
  expect(await read(trusting, `https://secure.example:${port}/`)).toBe(`secure.example:${port} secure.example`);
  expect(await read(trusting, `https://127.0.0.1:${port}/`)).toBe(`127.0.0.1:${port} false`);
  expect(await failure(trusting.fetchStream(`https://other.example:${port}/`))).toBe("tls");
  expect(await failure(open(LOOPBACK_OPEN, { lookup }).fetchStream(`https://secure.example:${port}/`))).toBe("tls");
});

test("headers have a time limit and a size limit", async () => {
  const silent = await serveRaw((socket) => socket.resume());
  const limits = { headersTimeoutMs: 150 };
  expect(await failure(open().fetchStream(`http://127.0.0.1:${silent.port}/`, { limits }))).toBe("timeout_headers");
  const dripping = await serveRaw((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const drip = setInterval(() => socket.write("x-a: b\r\n"), 20);
    socket.once("close", () => clearInterval(drip));
  });
  expect(await failure(open().fetchStream(`http://127.0.0.1:${dripping.port}/`, { limits }))).toBe("timeout_headers");
  const endless = await serveRaw((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\n${"x-a: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\r\n".repeat(2000)}\r\n`);
  });
  expect(await failure(open().fetchStream(`http://127.0.0.1:${endless.port}/`))).toBe("protocol");
});

test("a body that stops, or drips for ever, ends in time", async () => {
  const stopping = await serve((_request, response) => {
    response.write("some");
  });
  const idle = { limits: { idleTimeoutMs: 150 } };
  expect(await failure(read(open(), `http://127.0.0.1:${stopping.port}/`, idle))).toBe("timeout_idle");
  const dripping = await serve((_request, response) => {
    const drip = setInterval(() => response.write("x"), 20);
    response.once("close", () => clearInterval(drip));
  });
  const total = { limits: { idleTimeoutMs: 150, totalTimeoutMs: 400 } };
  expect(await failure(read(open(), `http://127.0.0.1:${dripping.port}/`, total))).toBe("timeout_total");
});

test("a reader that takes its time is not the server's fault, until the total is over", async () => {
  const { port } = await serve((_request, response) => response.end("x".repeat(1000)));
  const { body } = await open().fetchStream(`http://127.0.0.1:${port}/`, { limits: { idleTimeoutMs: 50 } });
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect((await buffer(body)).length).toBe(1000);
  const unread = await open().fetchStream(`http://127.0.0.1:${port}/`, { limits: { totalTimeoutMs: 100 } });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(unread.body.errored).toMatchObject({ reason: "timeout_total" });
});

test("a body may be as large as allowed, announced or not", async () => {
  const { port } = await serve((request, response) => {
    const bytes = Buffer.alloc(Number(request.url!.split("/")[2]));
    if (request.url!.startsWith("/chunked")) response.write(bytes.subarray(0, 1));
    else response.setHeader("content-length", bytes.length);
    response.end(request.url!.startsWith("/chunked") ? bytes.subarray(1) : bytes);
  });
  for (const kind of ["announced", "chunked"]) {
    const request = { limits: { maxBytes: 100_000 } };
    expect((await read(open(), `http://127.0.0.1:${port}/${kind}/100000`, request)).length).toBe(100_000);
    expect(await failure(read(open(), `http://127.0.0.1:${port}/${kind}/100001`, request))).toBe("too_large");
  }
  const announced = open().fetchStream(`http://127.0.0.1:${port}/announced/100001`, {
    limits: { maxBytes: 100_000 },
  });
  expect(await failure(announced)).toBe("too_large");
});

test.each([
  ["content-length: 100\r\n\r\nonly this"],
  ["content-length: 100\r\nconnection: close\r\n\r\nonly this"],
  ["transfer-encoding: chunked\r\n\r\n9\r\nonly this\r\n"],
  ["transfer-encoding: chunked\r\nconnection: close\r\n\r\n64\r\nonly this"],
])("a body that is shorter than promised is no body (%j)", async (head) => {
  const { port } = await serveRaw((socket) => {
    socket.once("data", () => socket.end(`HTTP/1.1 200 OK\r\n${head}`));
  });
  expect(await failure(read(open(), `http://127.0.0.1:${port}/`))).toBe("short_body");
});

test("a connection that is reset in the middle is a short body", async () => {
  const { port } = await serveRaw((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nsome");
      setTimeout(() => socket.resetAndDestroy(), 50);
    });
  });
  expect(await failure(read(open(), `http://127.0.0.1:${port}/`))).toBe("short_body");
});

test("a body without any length ends with the connection", async () => {
  const { port } = await serveRaw((socket) => {
    socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nall of it"));
  });
  expect(await read(open(), `http://127.0.0.1:${port}/`)).toBe("all of it");
});

test("a compressed body is refused", async () => {
  const { port } = await serve((request, response) => {
    response.setHeader("content-encoding", request.url!.slice(1));
    response.end(gzipSync("x".repeat(1000)));
  });
  for (const encoding of ["gzip", "br", "deflate", "zstd", "unheard-of"]) {
    expect(await failure(open().fetchStream(`http://127.0.0.1:${port}/${encoding}`))).toBe("encoded");
  }
  expect((await open().fetchStream(`http://127.0.0.1:${port}/identity`)).status).toBe(200);
});
