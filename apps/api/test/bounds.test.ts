import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { finish, segment } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";
import { postForm, wavPart } from "./uploads.ts";

/** Bounds of the contract, and so no settings: the most that is taken, and one more, which is refused by its field. */

let api: TestApi;
let manager: string;
let jobId: string;
beforeAll(async () => {
  api = await startTestApi();
  manager = (await api.makeKey(["transcribe", "manage"])).key;
  const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
  jobId = ((await response.json()) as { job_id: string }).job_id;
  await finish(api.db, jobId, [segment(0, "Hello.")]);
}, 60_000);
afterAll(() => api.stop());

const long = (length: number) => "x".repeat(length);
const many = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
const daysBefore = (days: number) => new Date(Date.parse("2026-06-01") - days * 86_400_000).toISOString().slice(0, 10);
const call = (path: string, method: string, json?: object, key = manager) =>
  api.call(`/api/v1/${path}`, { method, key, ...(json && { json }) });
const names = (count: number) => Object.fromEntries(many(count, (at) => [`S${at}`, `N${at}`]));

test.each<[what: string, most: number, path: string, ask: (n: number) => Promise<Response>]>([
  ["characters of a key's name", 128, "name", (n) => call("keys", "POST", { name: long(n), scopes: ["read"] })],
  [
    "seconds that a rotated key works on",
    30 * 86_400,
    "overlap_seconds",
    async (n) => call(`keys/${(await api.makeKey(["read"])).id}/rotate`, "POST", { overlap_seconds: n }),
  ],
  ["characters of a tenant's name", 128, "name", (n) => call("admin/tenants", "POST", { name: long(n) }, ADMIN_KEY)],
  ["days of usage", 400, "from", (n) => call(`usage?to=2026-06-01&from=${daysBefore(n)}`, "GET")],
  ["jobs of a page", 100, "limit", (n) => call(`jobs?limit=${n}`, "GET")],
  [
    "characters of a file's name",
    255,
    "filename",
    (n) => call("files/presign", "POST", { filename: long(n), size: 1 }),
  ],
  [
    "models of a tenant's provider",
    100,
    "models",
    (n) => call("providers/openai", "PUT", { api_key: "sk-1234567890", models: many(n, (at) => `m${at}`) }),
  ],
  ["characters of a lexicon's name", 128, "name", (n) => call("lexicons", "POST", { name: long(n) })],
])("%s: %i, and not one more", async (_what, most, path, ask) => {
  expect((await ask(most)).status).toBeLessThan(300);
  expect(paths(await expectProblem(await ask(most + 1), 400, "invalid_request"))).toEqual([path]);
});

test("names that are given to speakers at once: 64, of 128 characters", async () => {
  const rename = (speakers: object) => call(`jobs/${jobId}/speakers`, "PATCH", { speakers });
  // As many are read: what is wrong then is that nobody is called so.
  const read = paths(await expectProblem(await rename(names(64)), 400, "invalid_request"));
  expect(read.every((path) => path.startsWith("speakers."))).toBe(true);
  expect(paths(await expectProblem(await rename(names(65)), 400, "invalid_request"))).toEqual(["speakers"]);
  expect(paths(await expectProblem(await rename({ S0: long(128) }), 400, "invalid_request"))).toEqual(["speakers.S0"]);
  const problem = await expectProblem(await rename({ S0: long(129) }), 400, "invalid_request");
  expect(problem.detail).toContain("128");
});

test("a field of a form: 64 KiB", async () => {
  const send = (bytes: number) => postForm(api, [{ name: "metadata", value: long(bytes) }, wavPart]);
  const read = await expectProblem(await send(65_535), 400, "invalid_request");
  expect(read.detail).not.toContain("too long");
  const refused = await expectProblem(await send(65_536), 400, "invalid_request");
  expect([paths(refused), refused.detail]).toEqual([["metadata"], expect.stringContaining("too long")]);
});
