import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { waitFor } from "@scribe/testing";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";
import { beginUpload, formBody, postForm, wav, wavPart } from "./uploads.ts";

const URL_BODY = { url: "https://example.com/a.wav" };

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi(
    {
      ...{ MAX_BODY_BYTES: "2048", MAX_METADATA_BYTES: "100", MAX_URL_LENGTH: "300", MAX_HEADER_BYTES: "4096" },
      ...{ MAX_FORM_FIELDS: "3", MAX_UPLOADS: "3", MAX_UPLOADS_PER_KEY: "2", UPLOAD_MIN_BYTES_PER_SECOND: "1000" },
      ...{ MAX_CONNECTIONS_PER_ADDRESS: "12", HEADER_TIMEOUT_SECONDS: "1", BODY_TIMEOUT_SECONDS: "1" },
      KEEP_ALIVE_SECONDS: "1",
    },
    { uploadPaceMs: 400 },
  );
}, 60_000);
afterAll(() => api.stop());

describe("each limit lets through what it says, and not one more", () => {
  const padded = (bytes: number) => JSON.stringify(URL_BODY).padEnd(bytes, " ");
  const post = (body: string) =>
    api.call("/api/v1/transcribe", { method: "POST", body, headers: { "Content-Type": "application/json" } });

  test("MAX_BODY_BYTES", async () => {
    expect((await post(padded(2048))).status).toBe(202);
    await expectProblem(await post(padded(2049)), 413, "payload_too_large");
  });

  test("MAX_METADATA_BYTES", async () => {
    const make = (bytes: number) => ({ ...URL_BODY, metadata: { a: "x".repeat(bytes - '{"a":""}'.length) } });
    expect((await api.call("/api/v1/transcribe", { json: make(100) })).status).toBe(202);
    const problem = await expectProblem(
      await api.call("/api/v1/transcribe", { json: make(101) }),
      400,
      "invalid_request",
    );
    expect(paths(problem)).toEqual(["metadata"]);
  });

  test("MAX_URL_LENGTH", async () => {
    const path = (length: number) => "/api/v1/jobs?recording_id=".padEnd(length, "x");
    expect((await api.call(path(270))).status).toBe(200);
    await expectProblem(await api.call(path(301)), 414, "invalid_request");
    // 256 characters is the most that a recording_id may have: this one is refused for that alone.
    await expectProblem(await api.call(path(300)), 400, "invalid_request");
  });

  test("MAX_HEADER_BYTES", async () => {
    const ask = (bytes: number) => api.call("/api/v1/jobs", { headers: { "X-Filler": "x".repeat(bytes) } });
    expect((await ask(3000)).status).toBe(200);
    await expectProblem(await ask(4096), 431, "invalid_request");
  });

  test("MAX_FORM_FIELDS", async () => {
    const fields = ["language", "recording_id", "prompt", "task"].map((name) => ({
      name,
      value: name === "language" ? "en" : name === "task" ? "transcribe" : "x",
    }));
    expect((await postForm(api, [...fields.slice(0, 3), wavPart])).status).toBe(202);
    const problem = await expectProblem(await postForm(api, [...fields, wavPart]), 400, "invalid_request");
    expect(problem.detail).toMatch(/too many (fields|parts)/);
  });

  test("MAX_UPLOADS_PER_KEY and MAX_UPLOADS: a place that was given back is free again", async () => {
    const other = (await api.makeKey(["transcribe"])).key;
    const start = (key: string) => {
      const upload = beginUpload({ url: api.url, key });
      upload.sending.write(formBody([wavPart], { closed: false }).subarray(0, 200));
      // Fast enough for the least pace, and never at its end.
      const drip = setInterval(() => upload.sending.write(Buffer.alloc(500)), 100);
      upload.sending.once("close", () => clearInterval(drip));
      return upload;
    };
    const taken = [start(api.key), start(api.key)];
    await sleep(500);
    const third = await postForm(api, [wavPart]);
    expect(third.headers.get("retry-after")).toBe("5");
    await expectProblem(third, 429, "rate_limited");
    taken.push(start(other));
    await sleep(500);
    await expectProblem(await postForm(api, [wavPart], { key: other }), 503, "service_unavailable");
    for (const { sending } of taken) sending.destroy();
    await waitFor(async () => (await postForm(api, [wavPart])).status === 202, { what: "a free place" });
  });

  test("MAX_UPLOADS_PER_KEY: a place is free when the bytes are stored, whatever the answer waits for", async () => {
    const before = (await api.storedFiles()).length;
    const lock = await api.db.pool.connect();
    try {
      await lock.query("BEGIN; LOCK TABLE jobs IN SHARE MODE");
      const answers = [postForm(api, [wavPart]), postForm(api, [wavPart])];
      await waitFor(async () => (await api.storedFiles()).length === before + 2, { what: "the bytes of both" });
      answers.push(postForm(api, [wavPart]));
      await waitFor(async () => (await api.storedFiles()).length === before + 3, { what: "the bytes of a third" });
      await lock.query("COMMIT");
      expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([202, 202, 202]);
    } finally {
      lock.release();
    }
  });
});

describe("UPLOAD_MIN_BYTES_PER_SECOND", () => {
  const body = formBody([{ ...wavPart, value: Buffer.concat([wav, Buffer.alloc(4000)]) }]);

  async function send(bytesPerTick: number, tickMs: number, most: number) {
    const { sending, answer } = beginUpload(api);
    let at = 0;
    const timer = setInterval(() => {
      if (at < most) sending.write(body.subarray(at, at + bytesPerTick));
      at += bytesPerTick;
      if (at >= body.length) {
        clearInterval(timer);
        sending.end();
      }
    }, tickMs);
    try {
      return await answer;
    } finally {
      clearInterval(timer);
      sending.destroy();
    }
  }

  test("an upload above it takes the time that it takes", async () => {
    const { status } = await send(Math.ceil(body.length / 20), 100, body.length);
    expect(status).toBe(202);
  });

  test("one below it is cut, however steadily it drips, and leaves nothing", async () => {
    const before = (await api.storedFiles()).length;
    const startedAt = performance.now();
    const { status, body: text } = await send(10, 50, body.length);
    expect([status, text]).toEqual([408, expect.stringContaining("too slow")]);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect((await api.allFiles()).length).toBe(before);
  });
});

describe("connections", () => {
  const open = (): Promise<{ socket: Socket; ended: Promise<string> }> =>
    new Promise((resolve) => {
      const socket = connect(Number(new URL(api.url).port), "127.0.0.1");
      let said = "";
      socket.on("error", () => undefined);
      socket.on("data", (chunk) => {
        said += chunk;
      });
      const ended = new Promise<string>((end) => socket.once("close", () => end(said)));
      socket.once("connect", () => resolve({ socket, ended }));
    });

  test("HEADER_TIMEOUT_SECONDS: a head that drips in is cut with 408", async () => {
    const { socket, ended } = await open();
    socket.write("GET /health HTTP/1.1\r\nHost: x\r\n");
    const drip = setInterval(() => socket.write("X-A: b\r\n"), 200);
    const startedAt = performance.now();
    expect(await ended).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(drip);
    expect(performance.now() - startedAt).toBeLessThan(6_000);
  });

  test("BODY_TIMEOUT_SECONDS: a body that drips in is cut with 408", async () => {
    const { socket, ended } = await open();
    socket.write(
      `POST /api/v1/transcribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${api.key}\r\n` +
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
    );
    const drip = setInterval(() => socket.write(" "), 200);
    const startedAt = performance.now();
    await waitFor(() => socket.bytesRead > 0, { what: "an answer", timeoutMs: 5_000 });
    clearInterval(drip);
    socket.destroy();
    expect(await ended).toMatch(/^HTTP\/1\.1 408 /);
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });

  test("KEEP_ALIVE_SECONDS: an idle connection is closed after it", async () => {
    const { socket, ended } = await open();
    socket.write("GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
    const startedAt = performance.now();
    expect(await ended).toMatch(/^HTTP\/1\.1 200 /);
    expect(performance.now() - startedAt).toBeGreaterThan(900);
    expect(performance.now() - startedAt).toBeLessThan(6_000);
  });

  test("MAX_CONNECTIONS_PER_ADDRESS: one more is closed, and its end gives a place", async () => {
    const sockets = await Promise.all(Array.from({ length: 24 }, open));
    await sleep(300);
    expect(sockets.filter(({ socket }) => !socket.closed).length).toBeLessThanOrEqual(12);
    for (const { socket } of sockets) socket.destroy();
    await waitFor(async () => (await api.call("/health").catch(() => null))?.status === 200, { what: "a place" });
  });

  test.each([
    ["two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"],
    ["length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
    ["a broken chunk", "Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n"],
    ["a space before the colon", "Content-Length : 5\r\n\r\nhello"],
    ["an obsolete fold", "X-A: a\r\n b\r\nTransfer-Encoding: chunked, identity\r\n\r\n"],
    ["no host", "X-No-Host: 1\r\n\r\n"],
  ])("a request with %s is refused, and what follows it is not read as another", async (what, rest) => {
    const { socket, ended } = await open();
    const host = what === "no host" ? "" : "Host: x\r\n";
    socket.write(
      `POST /api/v1/transcribe HTTP/1.1\r\n${host}Content-Type: application/json\r\n${rest}GET /health HTTP/1.1\r\nHost: x\r\n\r\n`,
    );
    const said = await ended;
    expect(said).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(said).not.toContain("healthy");
  });
});

test("MAX_CONNECTIONS: as many as it says are open at once, whoever they are of", async () => {
  const small = await startTestApi({ MAX_CONNECTIONS: "4", MAX_CONNECTIONS_PER_ADDRESS: "0" });
  const sockets = Array.from({ length: 7 }, () => {
    const socket = connect(Number(new URL(small.url).port), "127.0.0.1");
    socket.on("error", () => undefined);
    return socket;
  });
  try {
    await waitFor(() => sockets.filter((socket) => socket.closed).length === 3, { what: "three to be closed" });
    for (const socket of sockets) socket.destroy();
    await waitFor(async () => (await small.call("/health").catch(() => null))?.status === 200, { what: "a place" });
  } finally {
    await small.stop();
  }
}, 60_000);

test.each([
  ["x".repeat(129), false],
  ["a b", false],
  ["<script>", false],
  ["a\u00ff", false],
  ["trace:1.2_3-4", true],
] as const)("the request id %j is given back only where it is sane", async (id, sane) => {
  const response = await api.call("/health", { headers: { "X-Request-Id": id } });
  expect(response.headers.get("x-request-id") === id).toBe(sane);
});
