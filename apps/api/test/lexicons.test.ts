import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { makeWav } from "@scribe/testing";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
let manager: string;
beforeAll(async () => {
  api = await startTestApi({ MAX_LEXICONS: "6" });
  manager = (await api.makeKey(["transcribe", "manage"])).key;
}, 60_000);
afterAll(() => api.stop());

const rules = [{ find: "rabit", replace: "rabbit" }];
const make = (name: string, content: object = { rules }, key = manager) =>
  api.call("/api/v1/lexicons", { json: { name, ...content }, key });
const at = (name: string, method = "GET", json?: object) =>
  api.call(`/api/v1/lexicons/${name}`, { method, key: manager, ...(json && { json }) });
const url = "https://example.com/a.wav";

describe("a lexicon", () => {
  test("is made, read, replaced as the next version, and removed", async () => {
    const made = await make("names", { rules, hotwords: ["Anna"] });
    const times = { created_at: expect.any(String), updated_at: expect.any(String) };
    const first = { name: "names", version: 1, ...times, rules, hotwords: ["Anna"] };
    expect([made.status, await made.json()]).toEqual([201, first]);
    expect(await (await at("names")).json()).toEqual(first);
    const second = await at("names", "PUT", { hotwords: ["Ben"] });
    expect([second.status, await second.json()]).toEqual([
      200,
      { name: "names", version: 2, ...times, rules: [], hotwords: ["Ben"] },
    ]);
    const list = await api.call("/api/v1/lexicons");
    expect(await list.json()).toEqual({ data: [{ name: "names", version: 2, ...times }] });
    expect((await at("names", "DELETE")).status).toBe(204);
    await expectProblem(await at("names"), 404, "not_found");
    await expectProblem(await at("names", "DELETE"), 404, "not_found");
    await expectProblem(await at("names", "PUT", { rules }), 404, "not_found");
    const { rows } = await api.db.pool.query("SELECT action FROM audit WHERE target = 'names' ORDER BY id");
    expect(rows.map(({ action }) => action)).toEqual(["lexicon.created", "lexicon.replaced", "lexicon.deleted"]);
  });

  test("keeps twenty versions behind the last", async () => {
    await make("often");
    for (let i = 0; i < 25; i++) await at("often", "PUT", { rules });
    const { rows } = await api.db.pool.query(
      "SELECT count(*)::int AS n FROM lexicon_versions v JOIN lexicons l ON l.id = v.lexicon_id WHERE l.name = 'often'",
    );
    expect(rows[0].n).toBe(20);
    expect(await (await at("often")).json()).toMatchObject({ version: 26 });
  });

  test("MAX_LEXICONS of a tenant are taken, and not one more until one is gone", async () => {
    const { key } = await api.makeKey(["manage"], { tenant: "collector" });
    const made = async (name: string) => (await make(name, { rules }, key)).status;
    for (let i = 1; i <= 6; i++) expect(await made(`list-${i}`)).toBe(201);
    await expectProblem(await make("list-7", { rules }, key), 409, "conflict");
    expect((await api.call("/api/v1/lexicons/list-1", { method: "DELETE", key })).status).toBe(204);
    expect(await made("list-7")).toBe(201);
  });

  test("needs a name that nobody has", async () => {
    await make("taken");
    await expectProblem(await make("taken"), 409, "conflict");
    // Another tenant may have it too.
    const { key } = await api.makeKey(["manage"], { tenant: "another" });
    expect((await make("taken", { rules: [] }, key)).status).toBe(201);
  });

  test("is read with `read`, and written with `manage` alone", async () => {
    await expectProblem(await make("mine", {}, api.key), 403, "forbidden");
    await expectProblem(await api.call("/api/v1/lexicons/x", { method: "DELETE" }), 403, "forbidden");
    expect((await api.call("/api/v1/lexicons")).status).toBe(200);
  });

  test.each([
    ["a name of signs", { name: "../x" }, "name"],
    ["no name", {}, "name"],
    ["a rule for every word", { name: "a", rules: [{ find: "*", replace: "x" }] }, "rules.0.find"],
    ["a rule that writes nothing", { name: "a", rules: [{ find: "um", replace: "" }] }, "rules.0.replace"],
    [
      "a field that rules do not have",
      { name: "a", rules: [{ find: "a", replace: "b", regex: true }] },
      "rules.0.regex",
    ],
    ["NUL", { name: "a", hotwords: ["\u0000"] }, "hotwords.0"],
  ])("with %s is refused by its name", async (_what, json, path) => {
    const response = await api.call("/api/v1/lexicons", { json, key: manager });
    expect(paths(await expectProblem(response, 400, "invalid_request"))).toEqual([path]);
  });
});

describe("a job", () => {
  test("has the version of its lexicon that stands when it is submitted, by either door", async () => {
    await make("pinned");
    await at("pinned", "PUT", { rules });
    const json = await api.call("/api/v1/transcribe", { json: { url, lexicon: "pinned" } });
    const form = new FormData();
    form.set("lexicon", "pinned");
    form.set("redact", '["card", "email", "card"]');
    form.set("file", new Blob([makeWav({ seconds: 1 })]), "a.wav");
    const upload = await api.call("/api/v1/transcribe/upload", { method: "POST", body: form });
    expect([json.status, upload.status]).toEqual([202, 202]);
    await at("pinned", "PUT", { rules: [] });
    for (const response of [json, upload]) {
      const { job_id: id } = (await response.json()) as { job_id: string };
      const { rows } = await api.db.pool.query("SELECT options FROM jobs WHERE id = $1", [id]);
      expect(rows[0].options).toMatchObject({ lexicon: "pinned", lexicon_version: { version: 2 } });
      if (response === upload) expect(rows[0].options.redact).toEqual(["card", "email"]);
    }
  });

  test.each([
    ["a lexicon that is not there", { url, lexicon: "nobodys" }, "lexicon"],
    ["no name of one", { url, lexicon: "../x" }, "lexicon"],
    ["a version of its own choice", { url, lexicon_version: { id: "x", version: 1 } }, "lexicon_version"],
    ["a kind that is not known", { url, redact: ["card", "shoe_size"] }, "redact.1"],
    ["kinds that are no list", { url, redact: "card" }, "redact"],
  ])("with %s is refused by its name", async (_what, json, path) => {
    const response = await api.call("/api/v1/transcribe", { json });
    expect(paths(await expectProblem(response, 400, "invalid_request"))).toEqual([path]);
  });

  test("with a lexicon that is not there is refused in a form, too, and leaves nothing behind", async () => {
    const form = new FormData();
    form.set("lexicon", "nobodys");
    form.set("file", new Blob([makeWav({ seconds: 1 })]), "a.wav");
    const response = await api.call("/api/v1/transcribe/upload", { method: "POST", body: form });
    const problem = await expectProblem(response, 400, "invalid_request");
    expect([paths(problem), problem.detail]).toEqual([["lexicon"], expect.stringContaining("nobodys")]);
  });
});
