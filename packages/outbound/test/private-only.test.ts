import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "@jest/globals";
import { createOutboundClient } from "../src/index.ts";

/** Where everything inside is open, and nothing outside is. */
const policy = { allowPrivateNetworks: ["127.0.0.0/8", "10.0.0.0/8"], allowedPorts: [8443], privateOnly: true };
const resolvesTo = (address: string) => async () => [{ address, family: 4 }];

test.each([
  ["an address", "http://93.184.215.14/", "127.0.0.1"],
  ["an address on an open port", "http://93.184.215.14:8443/", "127.0.0.1"],
  ["a name that leads outside", "http://models.example.com/", "93.184.215.14"],
  ["a name of the inside that leads outside", "http://ollama.internal:11434/", "93.184.215.14"],
])("nothing is sent outside: %s", async (_name, url, address) => {
  const client = createOutboundClient(policy, { lookup: resolvesTo(address) });
  await expect(client.fetchStream(url, { method: "POST", body: "speech" })).rejects.toMatchObject({
    code: "url_not_allowed",
    retryable: false,
  });
  await client.close();
});

test("what is inside is reached, whatever its name", async () => {
  const server = createServer((_request, response) => void response.end("here"));
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const client = createOutboundClient(policy, { lookup: resolvesTo("127.0.0.1") });
  const { port } = server.address() as AddressInfo;
  const { status, body } = await client.fetchStream(`http://ollama.example.com:${port}/v1`, {
    method: "POST",
    body: "speech",
  });
  body.resume();
  expect(status).toBe(200);
  await client.close();
  await new Promise((closed) => server.close(closed));
});
