import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { ensureTenant, tenantProviders } from "@scribe/database";
import { finish } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { ADMIN_KEY, startTestApi, type TestApi } from "./start-test-api.ts";
import { postForm, wavPart } from "./uploads.ts";

const SECRET = "sk-secret-0123456789";
const URL = "https://example.com/a.wav";

let api: TestApi;
let operated: TestApi;
let local: TestApi;
beforeAll(async () => {
  api = await startTestApi();
  operated = await startTestApi({ OPENAI_API_KEY: "sk-operator", OPENAI_MODELS: "whisper-1,gpt-4o-transcribe" });
  local = await startTestApi({ LOCAL_ONLY: "true", OPENAI_API_KEY: "sk-operator" });
}, 90_000);
afterAll(async () => {
  await Promise.all([api.stop(), operated.stop(), local.stop()]);
});

const submit = (on: TestApi, json: object, headers: Record<string, string> = {}) =>
  on.call("/api/v1/transcribe", { json: { url: URL, ...json }, headers });

const jobOf = async (response: Response) => {
  expect(response.status).toBe(202);
  return ((await response.json()) as { job_id: string }).job_id;
};

const rowOf = async (on: TestApi, id: string) =>
  (await on.db.pool.query("SELECT engine, model, provider_account_encrypted AS sealed FROM jobs WHERE id = $1", [id]))
    .rows[0];

describe("the tenant's account with a provider", () => {
  const put = (json: object, key = ADMIN_KEY, name = "openai") =>
    api.call(`/api/v1/providers/${name}`, { method: "PUT", json, key });
  const get = (key = ADMIN_KEY, name = "openai") => api.call(`/api/v1/providers/${name}`, { key });

  test("is set, shown without its key, replaced and forgotten", async () => {
    await expectProblem(await get(), 404, "not_found");
    const base_url = "https://speech.example.com/v1";
    const made = await put({ api_key: SECRET, base_url, models: ["large-v3", "large-v3"] });
    expect(await made.json()).toMatchObject({ name: "openai", base_url, models: ["large-v3"] });
    const shown = await (await get()).text();
    expect(shown).toContain("large-v3");
    expect(shown).not.toContain("secret");
    const { rows } = await api.db.pool.query("SELECT api_key_encrypted AS sealed FROM provider_settings");
    expect(rows).toEqual([{ sealed: expect.stringMatching(/^v1\./) }]);
    const { id } = await ensureTenant(api.db, "default");
    expect(await tenantProviders(api.db, id).account("openai")).toEqual({ apiKey: SECRET, baseUrl: base_url });

    expect(await (await put({ api_key: "sk-second" })).json()).toMatchObject({ base_url: null, models: [] });
    expect(await tenantProviders(api.db, id).account("openai")).toEqual({ apiKey: "sk-second", baseUrl: undefined });
    expect((await api.call("/api/v1/providers/openai", { method: "DELETE", key: ADMIN_KEY })).status).toBe(204);
    await expectProblem(
      await api.call("/api/v1/providers/openai", { method: "DELETE", key: ADMIN_KEY }),
      404,
      "not_found",
    );
    const audited = await api.db.pool.query(
      "SELECT action, target, detail::text FROM audit WHERE action LIKE 'provider.%' ORDER BY at",
    );
    expect(audited.rows.map(({ action }) => action)).toEqual(["provider.set", "provider.set", "provider.removed"]);
  });

  test("is the tenant's alone, and for who may manage", async () => {
    await put({ api_key: SECRET });
    const { key } = await api.makeKey(["manage", "transcribe"], { tenant: "theirs" });
    await expectProblem(await get(key), 404, "not_found");
    await expectProblem(await api.call("/api/v1/providers/openai", { method: "DELETE", key }), 404, "not_found");
    await expectProblem(await get(api.key), 403, "forbidden");
    // Their jobs find no key; ours do.
    const theirs = await api.call("/api/v1/transcribe", { json: { url: URL, engine: "openai" }, key });
    expect(paths(await expectProblem(theirs, 400, "invalid_request"))).toEqual(["engine"]);
    await jobOf(await submit(api, { engine: "openai" }));
    await api.call("/api/v1/providers/openai", { method: "DELETE", key: ADMIN_KEY });
  });

  test.each([
    [{}, "api_key"],
    [{ api_key: "" }, "api_key"],
    [{ api_key: "two words" }, "api_key"],
    [{ api_key: "a\r\nX-Header: b" }, "api_key"],
    [{ api_key: SECRET, base_url: "ftp://example.com" }, "base_url"],
    [{ api_key: SECRET, base_url: "https://example.com/v1?key=1" }, "base_url"],
    [{ api_key: SECRET, models: [""] }, "models.0"],
    [{ api_key: SECRET, more: 1 }, "more"],
  ])("%j is 400", async (json, path) => {
    const problem = await expectProblem(await put(json), 400, "invalid_request");
    expect(paths(problem)).toEqual([path]);
    expect(JSON.stringify(problem)).not.toContain("secret");
  });

  test("an address inside is refused, and so are providers that nobody knows", async () => {
    await expectProblem(await put({ api_key: SECRET, base_url: "http://169.254.169.254/v1" }), 400, "url_not_allowed");
    await expectProblem(await put({ api_key: SECRET }, ADMIN_KEY, "nobody"), 404, "not_found");
  });
});

describe("a job for a provider", () => {
  test("without any key is 400, and says which settings are missing", async () => {
    for (const engine of ["openai", "assemblyai"]) {
      const problem = await expectProblem(await submit(api, { engine }), 400, "invalid_request");
      expect(JSON.stringify(problem)).toContain(`${engine.toUpperCase()}_API_KEY`);
      expect(paths(problem)).toEqual(["engine"]);
    }
  });

  test("brings its key in a field, a header or a form; it is kept encrypted, and shown nowhere", async () => {
    const ids = [
      await jobOf(await submit(api, { engine: "openai", provider_key: SECRET })),
      await jobOf(await submit(api, { engine: "assemblyai" }, { "X-Provider-Key": SECRET })),
      await jobOf(
        await postForm(api, [
          ...Object.entries({ engine: "openai", provider_key: SECRET, model: "any/model-1" }).map(([name, value]) => ({
            name,
            value,
          })),
          wavPart,
        ]),
      ),
    ];
    const rows = await Promise.all(ids.map((id) => rowOf(api, id)));
    expect(rows.map(({ engine, model }) => [engine, model])).toEqual([
      ["openai", "whisper-1"],
      ["assemblyai", "universal"],
      ["openai", "any/model-1"],
    ]);
    for (const { sealed } of rows) {
      expect(sealed).toMatch(/^v1\./);
      expect(JSON.parse(api.db.secrets.decrypt(sealed))).toEqual({ apiKey: SECRET });
    }
    const shown = await Promise.all(ids.map(async (id) => await (await api.call(`/api/v1/jobs/${id}`)).text()));
    expect(shown.join("") + api.log()).not.toContain("sk-secret");
    await finish(api.db, ids[0]!, []);
    expect((await rowOf(api, ids[0]!)).sealed).toBeNull();
  });

  test("with an Idempotency-Key: not even a hash of its key is kept", async () => {
    const headers = { "Idempotency-Key": "provider-job" };
    const id = await jobOf(await submit(api, { engine: "openai", provider_key: SECRET }, headers));
    const again = await submit(api, { engine: "openai", provider_key: "sk-another" }, headers);
    expect(await jobOf(again)).toBe(id);
  });

  test.each([
    [{ provider_key: SECRET }, {}, "provider_key"],
    [{ engine: "onnx", provider_base_url: "https://example.com/v1" }, {}, "provider_base_url"],
    [{}, { "X-Provider-Key": SECRET }, "X-Provider-Key"],
    [{ engine: "openai", provider_key: SECRET }, { "X-Provider-Key": SECRET }, "provider_key"],
    [{ engine: "openai" }, { "X-Provider-Key": "two words" }, "X-Provider-Key"],
    [{ engine: "openai", provider_key: "" }, {}, "provider_key"],
    [{ engine: "openai", provider_base_url: "https://example.com/v1" }, {}, "provider_base_url"],
    [{ engine: "assemblyai", provider_key: SECRET, provider_base_url: "https://example.com" }, {}, "provider_base_url"],
    [
      { engine: "openai", provider_key: SECRET, provider_base_url: "https://example.com/v1#x" },
      {},
      "provider_base_url",
    ],
    [{ engine: "openai", provider_key: SECRET, beam_size: 5 }, {}, "beam_size"],
    [{ engine: "openai", provider_key: SECRET, temperature: [0, 0.2] }, {}, "temperature"],
    [{ engine: "assemblyai", provider_key: SECRET, task: "translate" }, {}, "task"],
  ])("%j with %j is 400", async (json, headers, path) => {
    const problem = await expectProblem(await submit(api, json, headers), 400, "invalid_request");
    expect(paths(problem)).toEqual([path]);
    expect(JSON.stringify(problem)).not.toContain("sk-secret");
  });

  test("an address inside is refused before anything is kept", async () => {
    const json = { engine: "openai", provider_key: SECRET, provider_base_url: "http://127.0.0.1:9/v1" };
    await expectProblem(await submit(api, json), 400, "url_not_allowed");
  });

  test("names a model of the operator's list with the operator's key, of the tenant's list with its own", async () => {
    expect(await rowOf(operated, await jobOf(await submit(operated, { engine: "openai" })))).toMatchObject({
      model: "whisper-1",
      sealed: null,
    });
    await jobOf(await submit(operated, { engine: "openai", model: "gpt-4o-transcribe" }));
    const other = await expectProblem(
      await submit(operated, { engine: "openai", model: "gpt-5" }),
      400,
      "unknown_model",
    );
    expect(paths(other)).toEqual(["model"]);
    await jobOf(await submit(operated, { engine: "openai", model: "gpt-5", provider_key: SECRET }));
    await expectProblem(
      await submit(operated, { engine: "openai", model: "a b", provider_key: SECRET }),
      400,
      "unknown_model",
    );

    const { id } = await ensureTenant(operated.db, "default");
    await tenantProviders(operated.db, id).put("openai", { apiKey: SECRET, baseUrl: null, models: ["large-v3"] });
    expect(await rowOf(operated, await jobOf(await submit(operated, { engine: "openai" })))).toMatchObject({
      model: "large-v3",
    });
    await expectProblem(await submit(operated, { engine: "openai", model: "whisper-1" }), 400, "unknown_model");
    await tenantProviders(operated.db, id).remove("openai");
  });

  test("tried again needs a key again", async () => {
    const id = await jobOf(await submit(api, { engine: "openai", provider_key: SECRET }));
    await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    expect((await rowOf(api, id)).sealed).toBeNull();
    const none = await api.call(`/api/v1/jobs/${id}/retry`, { method: "POST" });
    expect(paths(await expectProblem(none, 400, "invalid_request"))).toEqual(["engine"]);
    const headers = { "X-Provider-Key": SECRET };
    const again = await api.call(`/api/v1/jobs/${id}/retry`, { method: "POST", headers });
    const { sealed } = await rowOf(api, await jobOf(again));
    expect(JSON.parse(api.db.secrets.decrypt(sealed))).toEqual({ apiKey: SECRET });
  });

  test("that named an address of its own is tried again there, with a key of its own, or not at all", async () => {
    const account = { apiKey: SECRET, baseUrl: "https://speech.example.com/v1" };
    const json = { engine: "openai", provider_key: SECRET, provider_base_url: account.baseUrl };
    const id = await jobOf(await submit(operated, json));
    await operated.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    const none = await operated.call(`/api/v1/jobs/${id}/retry`, { method: "POST" });
    expect(paths(await expectProblem(none, 400, "invalid_request"))).toEqual(["X-Provider-Key"]);
    const headers = { "X-Provider-Key": SECRET };
    const again = await operated.call(`/api/v1/jobs/${id}/retry`, { method: "POST", headers });
    const { sealed } = await rowOf(operated, await jobOf(again));
    expect(JSON.parse(operated.db.secrets.decrypt(sealed))).toEqual(account);
  });
});

test("models: a provider's are listed where there is a key for it", async () => {
  const idsOf = async (on: TestApi) => {
    const { models } = (await (await on.call("/api/v1/models")).json()) as { models: { id: string; engine: string }[] };
    return models.filter(({ engine }) => engine !== "onnx").map(({ id, engine }) => `${engine} ${id}`);
  };
  expect(await idsOf(operated)).toEqual(["openai whisper-1", "openai gpt-4o-transcribe"]);
  expect(await idsOf(local)).toEqual([]);
  const { id } = await ensureTenant(api.db, "default");
  expect(await idsOf(api)).toEqual([]);
  await tenantProviders(api.db, id).put("assemblyai", { apiKey: SECRET, baseUrl: null, models: ["slam-1"] });
  expect(await idsOf(api)).toEqual(["assemblyai slam-1"]);
  await tenantProviders(api.db, id).remove("assemblyai");
});

test("LOCAL_ONLY refuses what would send audio to others, and names itself", async () => {
  for (const json of [{ engine: "openai" }, { engine: "assemblyai", provider_key: SECRET }]) {
    const problem = await expectProblem(await submit(local, json), 400, "invalid_request");
    expect(JSON.stringify(problem)).toContain("LOCAL_ONLY");
  }
  const put = await local.call("/api/v1/providers/openai", {
    method: "PUT",
    json: { api_key: SECRET },
    key: ADMIN_KEY,
  });
  expect(JSON.stringify(await expectProblem(put, 400, "invalid_request"))).toContain("LOCAL_ONLY");
  await jobOf(await submit(local, {}));
});
