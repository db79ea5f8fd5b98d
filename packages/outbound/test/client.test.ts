import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { buffer, text } from "node:stream/consumers";
import type { TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import {
  createOutboundClient,
  type Lookup,
  type OutboundClient,
  type OutboundPolicy,
  type OutboundRequest,
} from "../src/index.ts";
import { CERTIFICATE, PRIVATE_KEY } from "./certificate.ts";
import { INSIDE_HOSTS } from "./inside-addresses.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const LOOPBACK_OPEN: OutboundPolicy = { allowPrivateNetworks: ["127.0.0.0/8"] };

describe("the outbound client", () => {
  let closers: (() => Promise<void> | void)[];
  beforeEach(() => {
    closers = [];
  });
  afterEach(async () => {
    for (const close of closers.reverse()) await close();
  });

  async function serve(handler: Handler, host = "127.0.0.1"): Promise<{ port: number; connections: () => number }> {
    const server = createServer(handler);
    return listen(server, host);
  }

  async function serveRaw(onConnection: (socket: Socket) => void) {
    return listen(
      createTcpServer((socket) => {
        socket.on("error", () => {});
        onConnection(socket);
      }),
      "127.0.0.1",
    );
  }

  async function listen(server: Server | ReturnType<typeof createTcpServer>, host: string) {
    let connections = 0;
    const sockets = new Set<Socket>();
    server.on("connection", (socket: Socket) => {
      connections += 1;
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
    });
    server.listen(0, host);
    await once(server, "listening");
    closers.push(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    });
    return { port: (server.address() as AddressInfo).port, connections: () => connections };
  }

  function open(policy: OutboundPolicy = LOOPBACK_OPEN, lookup?: Lookup): OutboundClient {
    const client = createOutboundClient(policy, lookup ? { lookup } : {});
    closers.push(() => client.close());
    return client;
  }

  const failure = (promise: Promise<unknown>) =>
    promise.then(
      () => "no failure",
      (error: { reason?: string; code?: string; message?: string }) => error.reason ?? error.message,
    );
  const read = async (client: OutboundClient, url: string, request: OutboundRequest = {}) =>
    text((await client.fetchStream(url, request)).body);

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

  test("spellings of inside addresses open no connection, neither at once nor by redirect", async () => {
    const canary = await serve((_request, response) => response.end());
    const canary6 = await serve((_request, response) => response.end(), "::1");
    const targets = INSIDE_HOSTS.flatMap((host) => [
      `http://${host}:${canary.port}/`,
      `http://${host}:${canary6.port}/`,
    ]);
    const closed = open({ allowedPorts: [canary.port, canary6.port] });
    for (const url of targets) expect([url, await failure(closed.fetchStream(url))]).toEqual([url, "address"]);

    // The redirector's own network is the only one that is open.
    let location = "";
    const redirector = await serve((_request, response) => {
      response.writeHead(302, { location }).end();
    }, "127.77.0.1");
    const redirected = open(
      { allowPrivateNetworks: ["127.77.0.0/16"], allowedPorts: [canary.port, canary6.port] },
      async () => [{ address: "127.77.0.1", family: 4 }],
    );
    for (const url of targets.filter((_, index) => index % 9 === 0)) {
      // As bytes of a header: what is beyond ASCII in percents, the rest as it is.
      location = url.replaceAll(/[^\x20-\x7e]/gu, encodeURIComponent);
      const start = `http://start.example:${redirector.port}/`;
      const reason = await failure(redirected.fetchStream(start, { redirect: "follow" }));
      expect([url, ["address", "bad_redirect"].includes(reason!)]).toEqual([url, true]);
    }
    expect([canary.connections(), canary6.connections()]).toEqual([0, 0]);
  }, 60_000);

  test("a name that leads inside is found out before the connection", async () => {
    const canary = await serve((_request, response) => response.end());
    for (const addresses of [
      ["127.0.0.1"],
      ["::ffff:127.0.0.1"],
      ["::1"],
      ["93.184.216.34", "127.0.0.1"],
      ["127.0.0.1", "93.184.216.34"],
      ["fe80::1%eth0"],
      ["0.0.0.0"],
      ["64:ff9b::7f00:1"],
      ["169.254.169.254"],
      ["not an address"],
    ]) {
      const lookup: Lookup = async () =>
        addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
      const client = open({ allowedPorts: [canary.port] }, lookup);
      await expect(client.fetchStream(`http://rebind.example:${canary.port}/`)).rejects.toMatchObject({
        code: "url_not_allowed",
        retryable: false,
      });
    }
    expect(canary.connections()).toBe(0);
  });

  test("a name that changes between two answers is asked once a connection, and connected to as it was checked", async () => {
    const canary = await serve((_request, response) => response.end("secret"));
    let asked = 0;
    const lookup: Lookup = async () => {
      asked += 1;
      return [{ address: asked === 1 ? "203.0.113.7" : "127.0.0.1", family: 4 }];
    };
    const policy = { allowPrivateNetworks: ["203.0.113.0/24"] };
    const client = open(policy, lookup);
    const url = `http://rebind.example:${canary.port}/`;
    const limits = { connectTimeoutMs: 200 };
    expect(await failure(client.fetchStream(url, { limits }))).toBe("connect");
    expect(asked).toBe(1);
    expect(await failure(client.fetchStream(url, { limits }))).toBe("address");
    expect(asked).toBe(2);
    expect(canary.connections()).toBe(0);
  });

  test("our own servers stay closed by whatever name, also where they move", async () => {
    const canary = await serve((_request, response) => response.end());
    const lookup: Lookup = async (name) => {
      if (name === "redis.internal" || name === "innocent.example") return [{ address: "127.0.0.1", family: 4 }];
      if (name === "other.example") return [{ address: "127.5.5.5", family: 4 }];
      throw new Error("ENOTFOUND");
    };
    const forbidden = [
      { host: "redis.internal", port: canary.port },
      { host: "gone.internal", port: 1 },
    ];
    const client = open({ allowPrivateNetworks: ["127.0.0.0/8"], forbidden }, lookup);
    for (const host of [
      "redis.internal",
      "innocent.example",
      "other.example",
      "127.0.0.1",
      "2130706433",
      "127.9.9.9",
    ]) {
      expect([host, await failure(client.fetchStream(`http://${host}:${canary.port}/`))]).toEqual([host, "address"]);
    }
    const own = open({ allowPrivateNetworks: ["127.0.0.0/8"], ownPorts: [canary.port] }, lookup);
    expect(await failure(own.fetchStream(`http://innocent.example:${canary.port}/`))).toBe("address");
    expect(canary.connections()).toBe(0);
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

  test.each([
    ["nowhere", undefined, "bad_redirect"],
    ["to no address", "http://", "bad_redirect"],
    ["to another scheme", "file:///etc/passwd", "address"],
    ["with credentials", "http://a:b@127.0.0.1/", "address"],
    ["to metadata", "http://169.254.169.254/latest/", "address"],
  ])("a redirect %s is an error", async (_name, location, reason) => {
    const { port } = await serve((_request, response) => {
      response.writeHead(302, location === undefined ? {} : { location }).end();
    });
    expect(await failure(open().fetchStream(`http://127.0.0.1:${port}/`, { redirect: "follow" }))).toBe(reason);
  });

  test("a name that is not there, a port where no one listens", async () => {
    const lookup: Lookup = async (name) => {
      if (name === "empty.example") return [];
      throw Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" });
    };
    expect(await failure(open({}, lookup).fetchStream("http://gone.example/"))).toBe("dns");
    expect(await failure(open({}, lookup).fetchStream("http://empty.example/"))).toBe("dns");
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
    expect(await failure(open({}, hanging).fetchStream("http://slow.example/", { limits }))).toBe("connect");
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
    const trusting = createOutboundClient(LOOPBACK_OPEN, { lookup, ca: CERTIFICATE });
    closers.push(() => trusting.close());
    expect(await read(trusting, `https://secure.example:${port}/`)).toBe(`secure.example:${port} secure.example`);
    expect(await read(trusting, `https://127.0.0.1:${port}/`)).toBe(`127.0.0.1:${port} false`);
    expect(await failure(trusting.fetchStream(`https://other.example:${port}/`))).toBe("tls");
    expect(await failure(open(LOOPBACK_OPEN, lookup).fetchStream(`https://secure.example:${port}/`))).toBe("tls");
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

  test("the caller's signal ends it at any point, with the caller's reason", async () => {
    const silent = await serveRaw(() => {});
    const endless = await serve((_request, response) => {
      response.write("some");
    });
    const stops = () => AbortSignal.timeout(100);
    const reason = { name: "TimeoutError" };
    const hanging: Lookup = () => new Promise(() => {});
    await expect(open({}, hanging).fetchStream("http://a.example/", { signal: stops() })).rejects.toMatchObject(reason);
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

  test("messages name no address and no detail of ours", async () => {
    const lookup: Lookup = async () => [{ address: "10.1.2.3", family: 4 }];
    await open({}, lookup)
      .fetchStream("http://name.example/")
      .catch((error: Error) => expect(error.message).not.toMatch(/10\.1\.2\.3|name\.example/));
    expect.assertions(1);
  });
});
