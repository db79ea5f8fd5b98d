import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type FileServer, makeWav, type Receiver, startFileServer, startReceiver, tone } from "../src/index.ts";

describe("the receiver", () => {
  let receiver: Receiver;
  beforeAll(async () => {
    receiver = await startReceiver();
  });
  afterAll(() => receiver.stop());

  const post = (body: string, signal = AbortSignal.timeout(5_000)) =>
    fetch(`${receiver.url}/hook`, { method: "POST", body, signal, headers: { "x-mark": "7" } });

  test("records requests and answers by script, then 200", async () => {
    receiver.answer([{ status: 503, headers: { "retry-after": "1" }, body: "later" }]);
    const first = await post(`{"a":1}`);
    expect([first.status, first.headers.get("retry-after"), await first.text()]).toEqual([503, "1", "later"]);
    expect((await post("{}")).status).toBe(200);
    const [request] = await receiver.waitForRequests(2);
    expect(request.path).toBe("/hook");
    expect(request.headers["x-mark"]).toBe("7");
    expect(request.json()).toEqual({ a: 1 });
  });

  test("hangs, resets and takes its time when told", async () => {
    receiver.answer(["hang", "reset", { status: 204, delayMs: 60 }]);
    await expect(post("", AbortSignal.timeout(50))).rejects.toThrow(/timeout/);
    await expect(post("")).rejects.toThrow("fetch failed");
    const start = performance.now();
    expect((await post("")).status).toBe(204);
    expect(performance.now() - start).toBeGreaterThan(50);
  });

  test("a rule answers every request", async () => {
    receiver.answer((request) => ({ status: request.body.length > 3 ? 400 : 201 }));
    expect([(await post("long")).status, (await post("s")).status]).toEqual([400, 201]);
  });

  test("waiting for what does not come fails", async () => {
    await expect(receiver.waitForRequests(99, { timeoutMs: 50 })).rejects.toThrow("99 requests");
  });
});

describe("the file server", () => {
  let files: FileServer;
  const bytes = makeWav({ seconds: 0.5, signal: tone(440) });
  beforeAll(async () => {
    files = await startFileServer();
  });
  afterAll(() => files.stop());

  const get = async (url: string, timeoutMs = 5_000) => {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    return { response, body: new Uint8Array(await response.arrayBuffer()) };
  };

  test("serves bytes as they are", async () => {
    const { response, body } = await get(files.serve("a.wav", bytes));
    expect(response.headers.get("content-length")).toBe(String(bytes.length));
    expect(Buffer.compare(body, bytes)).toBe(0);
    expect((await get(`${files.url}/other`)).response.status).toBe(404);
    expect(files.requests.map(({ path }) => path)).toEqual(["/a.wav", "/other"]);
  });

  test("hangs before and in the middle", async () => {
    await expect(get(files.serve("h", { bytes, fault: "hang" }), 50)).rejects.toThrow(/timeout/);
    await expect(get(files.serve("m", { bytes, fault: "hang-midway" }), 50)).rejects.toThrow(/timeout/);
  });

  test("lies about its length both ways", async () => {
    await expect(get(files.serve("more", { bytes, fault: "claims-more" }))).rejects.toThrow(/terminated/);
    const { body } = await get(files.serve("less", { bytes, fault: "claims-less" })).catch(() => ({
      body: bytes.subarray(0, 0),
    }));
    expect(body.length).toBeLessThan(bytes.length);
  });

  test("breaks off, sends without a length, redirects for ever, is slow", async () => {
    await expect(get(files.serve("r", { bytes, fault: "reset-midway" }))).rejects.toThrow();
    const chunked = await get(files.serve("c", { bytes, fault: "no-length" }));
    expect([chunked.response.headers.get("content-length"), chunked.body.length]).toEqual([null, bytes.length]);
    await expect(get(files.serve("l", { fault: "redirect-forever" }))).rejects.toThrow("fetch failed");
    expect((await get(files.serve("to", { redirectTo: `${files.url}/a.wav` }))).body.length).toBe(bytes.length);
    const start = performance.now();
    await get(files.serve("s", { bytes: bytes.subarray(0, 1_000), bytesPerSecond: 10_000 }));
    expect(performance.now() - start).toBeGreaterThan(40);
  });
});
