import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi({}, { bodyMs: 500 });
}, 60_000);
afterAll(() => api.stop());

const url = "https://example.com/a.wav";
const post = (body: string | Uint8Array, headers: Record<string, string> = { "Content-Type": "application/json" }) =>
  api.call("/api/v1/transcribe", { method: "POST", body: body as never, headers });

describe("a body that is not what it should be", () => {
  test.each([
    ["cut off", '{"url": "http'],
    ["no JSON", "url=https://example.com"],
    ["empty", ""],
    ["no UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])],
  ])("malformed (%s) is 400", async (_what, body) => {
    const problem = await expectProblem(await post(body), 400, "invalid_request");
    expect(problem.detail).toContain("JSON");
  });

  test.each([["text/plain"], ["application/x-www-form-urlencoded"], ["multipart/form-data; boundary=x"]])(
    "of type %s is 415",
    async (type) => {
      await expectProblem(await post("{}", { "Content-Type": type }), 415, "unsupported_media");
    },
  );

  test("compressed is 415", async () => {
    const headers = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
    await expectProblem(await post("{}", headers), 415, "unsupported_media");
  });

  test("larger than 1 MiB is 413, announced or not", async () => {
    const huge = JSON.stringify({ prompt: "x".repeat(1024 * 1024) });
    await expectProblem(await post(huge), 413, "payload_too_large");
    const chunks = new Response(huge).body as ReadableStream;
    const response = await api.call("/api/v1/transcribe", {
      method: "POST",
      body: chunks,
      duplex: "half",
      headers: { "Content-Type": "application/json" },
    });
    await expectProblem(response, 413, "payload_too_large");
  });

  test("nested without end is 400", async () => {
    const deep = `{"metadata": ${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}}`;
    await expectProblem(await post(deep), 400, "invalid_request");
  });

  test("32 levels are read, and not one more", async () => {
    const nested = (levels: number) => `{"no_such": ${"[".repeat(levels)}${"]".repeat(levels)}}`;
    const read = await expectProblem(await post(nested(32)), 400, "invalid_request");
    expect(paths(read)).toContain("no_such");
    const refused = await expectProblem(await post(nested(33)), 400, "invalid_request");
    expect(refused.detail).toBe("The body is nested too deeply.");
  });

  test("a list in place of an object is 400", async () => {
    await expectProblem(await post("[]"), 400, "invalid_request");
  });
});

describe("a field that is wrong is named", () => {
  test.each<[string, string, object]>([
    ["unknown", "colour", { url, colour: "red" }],
    ["of the wrong type", "word_timestamps", { url, word_timestamps: "yes" }],
    ["out of bounds", "temperature", { url, temperature: 3 }],
    ["not one of the choices", "task", { url, task: "dance" }],
    ["nested and unknown", "clip.middle", { url, clip: { start: 0, middle: 1 } }],
    ["no URL", "url", { url: "not a url" }],
    ["a URL of another kind", "url", { url: "ftp://example.com/a.wav" }],
    ["a source too many", "url", { url, upload_id: "x" }],
    ["a source too few", "url", {}],
    ["NUL in text", "prompt", { url, prompt: "a\u0000b" }],
    ["a lone surrogate", "metadata.a", { url, metadata: { a: "\ud800" } }],
    ["deep metadata", "metadata.a", { url, metadata: { a: { b: 1 } } }],
    ["machinery", "constructor", { url, constructor: 1 }],
    ["no webhook secret", "webhook_secret", { url, webhook_url: url, webhook_secret: "hunter2" }],
    ["an engine that is not enabled", "engine", { url, engine: "synthetic" }],
    ["an engine that is not there", "engine", { url, engine: "openai" }],
    ["more speakers at least than at most", "min_speakers", { url, diarize: true, min_speakers: 3, max_speakers: 2 }],
    ["a guard that is no switch", "guards.loops", { url, guards: { loops: 1 } }],
    ["a lexicon that is not there", "lexicon", { url, lexicon: "names" }],
  ])("%s: %s", async (_what, path, body) => {
    const problem = await expectProblem(await api.call("/api/v1/transcribe", { json: body }), 400, "invalid_request");
    expect(paths(problem)).toContain(path);
    expect(problem.detail).toContain(path);
  });

  test.each([
    ['{"url":"https://example.com/a.wav","__proto__":{"engine":"onnx"}}', "__proto__"],
    ['{"url":"https://example.com/a.wav","metadata":{"__proto__":1}}', "metadata.__proto__"],
  ])("%s", async (body, path) => {
    expect(paths(await expectProblem(await post(body), 400, "invalid_request"))).toEqual([path]);
  });

  test("a model that is not offered is `unknown_model`", async () => {
    const response = await api.call("/api/v1/transcribe", { json: { url, model: "../../etc/passwd" } });
    expect(paths(await expectProblem(response, 400, "unknown_model"))).toEqual(["model"]);
  });

  test.each([
    ["url", { url: "http://127.0.0.1/a.wav" }],
    ["url", { url: "http://169.254.169.254/latest/meta-data" }],
    ["url", { url: "https://[::1]/a.wav" }],
    ["url", { url: "https://example.com:22/a.wav" }],
    ["webhook_url", { url, webhook_url: "http://10.0.0.1/hook" }],
  ])("an address inside is `url_not_allowed` (%s %j)", async (field, body) => {
    const response = await api.call("/api/v1/transcribe", { json: body });
    expect(paths(await expectProblem(response, 400, "url_not_allowed"))).toEqual([field]);
  });

  test("an upload that is not the tenant's is 404, like one that never was", async () => {
    const unknown = { upload_id: "01900000-0000-7000-8000-000000000000" };
    await expectProblem(await api.call("/api/v1/transcribe", { json: unknown }), 404, "not_found");
    await expectProblem(await api.call("/api/v1/transcribe", { json: { upload_id: "x" } }), 404, "not_found");
  });

  test.each([["x".repeat(256)], ["caf\u00e9"], [""]])("an Idempotency-Key that is none is 400: %s", async (key) => {
    const response = await api.call("/api/v1/transcribe", { json: { url }, headers: { "Idempotency-Key": key } });
    expect(paths(await expectProblem(response, 400, "invalid_request"))).toEqual(["Idempotency-Key"]);
  });
});

describe("an address that is wrong", () => {
  test.each([
    ["/api/v1/jobs?colour=red", "colour"],
    ["/api/v1/jobs?limit=0", "limit"],
    ["/api/v1/jobs?limit=101", "limit"],
    ["/api/v1/jobs?limit=ten", "limit"],
    ["/api/v1/jobs?limit=5&limit=6", "limit"],
    ["/api/v1/jobs?status=done", "status"],
    ["/api/v1/jobs?created_after=yesterday", "created_after"],
    ["/api/v1/jobs?cursor=xyz", "cursor"],
    ["/api/v1/jobs?recording_id=a%00b", "recording_id"],
    ["/api/v1/jobs?__proto__=1", "__proto__"],
    ["/api/v1/models?x=1", "x"],
  ])("%s is 400 and names %s", async (path, name) => {
    expect(paths(await expectProblem(await api.call(path), 400, "invalid_request"))).toEqual([name]);
  });

  test.each([
    ["/api/v1/jobs/1"],
    ["/api/v1/jobs/01900000-0000-7000-8000-000000000000"],
    ["/api/v1/jobs/%00"],
    ["/api/v1/jobs/..%2f..%2fetc"],
    ["/api/v1/jobs/x/transcript"],
    ["/api/v1/jobs/x/events"],
  ])("%s is 404", async (path) => {
    const problem = await expectProblem(await api.call(path), 404, "not_found");
    expect(problem.detail).toBe("There is no such job.");
  });

  test("a path that is unknown is 404; what is not built yet is, too", async () => {
    for (const path of ["/", "/api/v2/jobs", "/api/v1/job", "/api/v1/enhanced"]) {
      await expectProblem(await api.call(path), 404, "not_found");
    }
  });

  test("a path that cannot be decoded is 400", async () => {
    await expectProblem(await api.call("/api/v1/jobs/%zz"), 400, "invalid_request");
  });

  test("a method that is unknown is 405 and says which there are", async () => {
    const response = await api.call("/api/v1/jobs/x", { method: "PUT" });
    expect(response.headers.get("allow")).toBe("GET, HEAD, DELETE, OPTIONS");
    await expectProblem(response, 405, "invalid_request");
    const transcribe = await api.call("/api/v1/transcribe");
    expect(transcribe.headers.get("allow")).toBe("POST, OPTIONS");
    await expectProblem(transcribe, 405, "invalid_request");
    const options = await api.call("/api/v1/jobs", { method: "OPTIONS", key: null });
    expect([options.status, options.headers.get("allow")]).toEqual([204, "GET, HEAD, OPTIONS"]);
  });

  test("a URL of 9,000 characters is 414", async () => {
    await expectProblem(await api.call(`/api/v1/jobs?cursor=${"x".repeat(9000)}`), 414, "invalid_request");
  });
});

describe("what is hardly HTTP", () => {
  test("headers without end are 431", async () => {
    const answer = await raw(`GET /health HTTP/1.1\r\nHost: x\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1.1 431 /);
    expect(answer).toContain('"code":"invalid_request"');
    expect(answer).toMatch(/X-Request-Id: [0-9a-f-]{36}/);
  });

  test("a body that does not come is 408", async () => {
    const head = `POST /api/v1/transcribe HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${api.key}\r\n`;
    const answer = await raw(`${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"url":`);
    expect(answer).toMatch(/^HTTP\/1.1 408 /);
    expect(answer).toContain('"code":"invalid_request"');
  });

  test("noise is 400", async () => {
    const answer = await raw("hello\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1.1 400 /);
    expect(answer).toContain("application/problem+json");
  });

  function raw(text: string): Promise<string> {
    const { hostname, port } = new URL(api.url);
    return new Promise((resolve, reject) => {
      let answer = "";
      const socket = connect(Number(port), hostname, () => socket.write(text));
      socket.setEncoding("utf8").on("data", (chunk) => {
        answer += chunk;
      });
      socket.once("close", () => resolve(answer));
      socket.once("error", reject);
    });
  }
});

describe("the request's id", () => {
  test("a sane one is given back, another is replaced", async () => {
    const sane = await api.call("/health", { headers: { "X-Request-Id": "order-17.b" } });
    expect(sane.headers.get("x-request-id")).toBe("order-17.b");
    for (const id of ["a b", "<script>", "x".repeat(200)]) {
      const other = await api.call("/health", { headers: { "X-Request-Id": id } });
      expect(other.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    }
  });
});
