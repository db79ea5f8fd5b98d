import { afterEach, expect, test } from "@jest/globals";
import type { Lookup } from "../src/index.ts";
import { closeAll, failure, open, serve } from "./client-bench.ts";
import { INSIDE_HOSTS } from "./inside-addresses.ts";

afterEach(closeAll);

test("spellings of inside addresses open no connection, neither at once nor by redirect", async () => {
  const canary = await serve((_request, response) => response.end());
  const canary6 = await serve((_request, response) => response.end(), "::1");
  const targets = INSIDE_HOSTS.flatMap((host) => [`http://${host}:${canary.port}/`, `http://${host}:${canary6.port}/`]);
  const closed = open({ allowedPorts: [canary.port, canary6.port] });
  for (const url of targets) expect([url, await failure(closed.fetchStream(url))]).toEqual([url, "address"]);

  // The redirector's own network is the only one that is open.
  let location = "";
  const redirector = await serve((_request, response) => {
    response.writeHead(302, { location }).end();
  }, "127.77.0.1");
  const redirected = open(
    { allowPrivateNetworks: ["127.77.0.0/16"], allowedPorts: [canary.port, canary6.port] },
    { lookup: async () => [{ address: "127.77.0.1", family: 4 }] },
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
    const lookup: Lookup = async () => addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
    const client = open({ allowedPorts: [canary.port] }, { lookup });
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
  const client = open(policy, { lookup });
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
  const client = open({ allowPrivateNetworks: ["127.0.0.0/8"], forbidden }, { lookup });
  for (const host of ["redis.internal", "innocent.example", "other.example", "127.0.0.1", "2130706433", "127.9.9.9"]) {
    expect([host, await failure(client.fetchStream(`http://${host}:${canary.port}/`))]).toEqual([host, "address"]);
  }
  const own = open({ allowPrivateNetworks: ["127.0.0.0/8"], ownPorts: [canary.port] }, { lookup });
  expect(await failure(own.fetchStream(`http://innocent.example:${canary.port}/`))).toBe("address");
  expect(canary.connections()).toBe(0);
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

test("messages name no address and no detail of ours", async () => {
  const lookup: Lookup = async () => [{ address: "10.1.2.3", family: 4 }];
  await open({}, { lookup })
    .fetchStream("http://name.example/")
    .catch((error: Error) => expect(error.message).not.toMatch(/10\.1\.2\.3|name\.example/));
  expect.assertions(1);
});
