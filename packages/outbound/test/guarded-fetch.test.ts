import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, test } from "@jest/globals";
import { createGuardedFetch, createOutboundClient } from "../src/index.ts";

type Answer = "reset" | "hang" | { status: number; headers?: Record<string, string>; body?: string };

const received: { headers: IncomingHttpHeaders; body: Buffer }[] = [];
let answers: Answer[] = [];
let server: Server;
let url: string;
const inside = createOutboundClient({ allowPrivateNetworks: ["127.0.0.0/8"] });
beforeAll(async () => {
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    received.push({ headers: request.headers, body: Buffer.concat(chunks) });
    const answer = answers.shift() ?? { status: 200 };
    if (answer === "reset") request.socket.destroy();
    else if (answer !== "hang") response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  received.length = 0;
  answers = [];
});
afterAll(async () => {
  await inside.close();
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
});

const guarded = (hideInside = false) => createGuardedFetch(inside, { origin: url, hideInside });

test("sends forms, texts and streams, and gives the answer as fetch does", async () => {
  const form = new FormData();
  form.set("model", "whisper-1");
  form.set("file", new File(["abc"], "a.flac"));
  answers = [{ status: 200, headers: { "content-type": "application/json" }, body: '{"a": 1}' }];
  const answer = await guarded()(`${url}/form`, { method: "POST", body: form });
  expect([answer.status, await answer.json()]).toEqual([200, { a: 1 }]);
  const [sent] = received;
  const read = await new Response(new Uint8Array(sent!.body), {
    headers: { "content-type": sent!.headers["content-type"]! },
  }).formData();
  expect([read.get("model"), await (read.get("file") as File).text()]).toEqual(["whisper-1", "abc"]);

  const body = Readable.from([Buffer.from("half "), Buffer.from("half")]);
  await guarded()(`${url}/stream`, { method: "POST", body: body as never, headers: { "content-length": "9" } });
  expect(received[1]!.body.toString()).toBe("half half");
  const unknown = guarded()(url, { method: "POST", body: Readable.from(["x"]) as never });
  await expect(unknown).rejects.toThrow("content-length");
});

test("sends the headers of a request, and none of what a library adds", async () => {
  const headers = { Authorization: "Bearer k", "Content-Type": "text/plain", "OpenAI-Organization": "o", Cookie: "c" };
  await guarded()(url, { method: "POST", body: "x", headers });
  expect(received[0]!.headers).toMatchObject({ authorization: "Bearer k", "content-type": "text/plain" });
  expect(Object.keys(received[0]!.headers)).not.toEqual(expect.arrayContaining(["cookie"]));
  expect(received[0]!.headers).not.toHaveProperty("openai-organization");
});

test("goes to one origin, and follows no redirect", async () => {
  await expect(guarded()("https://example.com/")).rejects.toMatchObject({ reason: "address" });
  answers = [{ status: 302, headers: { location: "http://127.0.0.1:1/" } }];
  expect((await guarded()(url)).status).toBe(302);
  const strict = createGuardedFetch(createOutboundClient({}), { origin: url, hideInside: true });
  await expect(strict(url)).rejects.toMatchObject({ code: "url_not_allowed" });
  await expect(guarded()(url, { method: "TRACE" })).rejects.toThrow("TRACE");
});

test("what a server inside says of its errors is hidden from whoever chose it", async () => {
  const refusal = { status: 500, body: "stack of an internal service" };
  answers = [refusal, refusal, { status: 200, body: "fine" }];
  expect(await (await guarded(true)(url)).text()).toBe("");
  expect(await (await guarded(false)(url)).text()).toBe(refusal.body);
  expect(await (await guarded(true)(url)).text()).toBe("fine");
});

test("an answer that breaks off fails, and so does a stopped one, with the signal's reason", async () => {
  answers = ["reset", "hang"];
  await expect(guarded()(url)).rejects.toMatchObject({ retryable: true });
  const reason = new Error("stopped");
  const signal = AbortSignal.any([new AbortController().signal, AbortSignal.abort(reason)]);
  await expect(guarded()(url, { signal })).rejects.toBe(reason);
});
