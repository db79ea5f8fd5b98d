import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { failAttempt } from "@scribe/database";
import { JobError } from "@scribe/domain";
import { jobSchema } from "../src/http/job-view.ts";
import { claim, finish, segment, writeSegments } from "./drive-jobs.ts";
import { expectProblem } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
let theirs: string;
beforeAll(async () => {
  api = await startTestApi();
  theirs = (await api.makeKey(["transcribe"], { tenant: "theirs" })).key;
}, 60_000);
afterAll(() => api.stop());

async function submit(more: object = {}, key = api.key): Promise<string> {
  const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav", ...more }, key });
  return ((await response.json()) as { job_id: string }).job_id;
}
const read = async (id: string, query = "") => {
  const response = await api.call(`/api/v1/jobs/${id}${query}`);
  expect(response.status).toBe(200);
  return jobSchema.strict().parse(await response.json());
};

describe("a job is shown as it is", () => {
  test("while it runs", async () => {
    const id = await submit();
    const job = await claim(api.db, id);
    await writeSegments(api.db, job, [segment(0, " Hello.")], 40);
    const view = await read(id);
    expect(view).toMatchObject({ status: "processing", phase: "transcribing", progress: 40, duration: 8 });
    expect(view.started_at).not.toBeNull();
    expect(view).not.toHaveProperty("result");
    expect(view).not.toHaveProperty("queue");
  });

  test("completed, with its result or without", async () => {
    const id = await submit();
    const words = [{ word: " Hello.", start: 0, end: 1, probability: 0.9 }];
    await finish(api.db, id, [segment(0, " Hello.", { words }), segment(1, " Good bye.")]);
    const view = await read(id);
    expect(view).toMatchObject({
      ...{ status: "completed", progress: 100, phase: "finalizing", language: "en" },
      result: { text: "Hello. Good bye.", language: "en", duration: 8, segments: [{ id: 0, words }, { id: 1 }] },
    });
    expect(await read(id, "?result=false")).not.toHaveProperty("result");
    expect((await read(id, "?result=true")).result?.text).toBe("Hello. Good bye.");
  });

  test("failed, with a reason for a person", async () => {
    const id = await submit();
    const job = await claim(api.db, id);
    const error = new JobError("unsupported_audio", "The file holds no sound that can be read.");
    await failAttempt(api.db, { jobId: id, epoch: job.leaseEpoch }, error, { maxAttempts: 3, backoffSeconds: () => 1 });
    expect(await read(id)).toMatchObject({
      status: "failed",
      error: { code: "unsupported_audio", message: "The file holds no sound that can be read.", retryable: false },
    });
  });
});

describe("jobs are listed", () => {
  test("newest first, by pages that neither skip nor repeat", async () => {
    const { key } = await api.makeKey(["transcribe"], { tenant: "paging" });
    const ids: string[] = [];
    for (let i = 0; i < 7; i++) ids.unshift(await submit({}, key));
    const seen: string[] = [];
    let cursor: string | null = "";
    let pages = 0;
    while (cursor !== null) {
      const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
      const page = (await (await api.call(`/api/v1/jobs?limit=3${query}`, { key })).json()) as {
        data: { job_id: string }[];
        next_cursor: string | null;
      };
      for (const job of page.data) jobSchema.strict().parse(job);
      seen.push(...page.data.map(({ job_id }) => job_id));
      cursor = page.next_cursor;
      pages += 1;
    }
    expect(seen).toEqual(ids);
    expect(pages).toBe(3);
  });

  test("by status, recording and time, without results", async () => {
    const { key } = await api.makeKey(["transcribe"], { tenant: "filters" });
    const done = await submit({ recording_id: "a/b c" }, key);
    await finish(api.db, done, [segment(0, " Hi.")]);
    await submit({ recording_id: "other" }, key);
    const list = async (query: string) => {
      const { data } = (await (await api.call(`/api/v1/jobs?${query}`, { key })).json()) as { data: object[] };
      return data;
    };
    const [completed] = await list("status=completed");
    expect(completed).toMatchObject({ job_id: done, status: "completed" });
    expect(completed).not.toHaveProperty("result");
    expect(await list("recording_id=a%2Fb+c")).toHaveLength(1);
    expect(await list("created_before=2020-01-01T00:00:00Z")).toHaveLength(0);
    expect(await list(`created_after=${encodeURIComponent("2020-01-01T00:00:00+02:00")}`)).toHaveLength(2);
  });

  test("a cursor whose time no database knows is none of ours", async () => {
    const { next_cursor: cursor } = (await (await api.call("/api/v1/jobs?limit=1")).json()) as { next_cursor: string };
    const [, ...rest] = Buffer.from(cursor, "base64url").toString().split(" ");
    for (const time of ["-200000-01-01T00:00:00.000Z", "+275760-09-13T00:00:00.000Z"]) {
      const forged = Buffer.from([time, ...rest].join(" ")).toString("base64url");
      await expectProblem(await api.call(`/api/v1/jobs?cursor=${forged}`), 400, "invalid_request");
    }
  });

  test("a cursor of another tenant is 404", async () => {
    await submit();
    await submit();
    const { next_cursor } = (await (await api.call("/api/v1/jobs?limit=1")).json()) as { next_cursor: string };
    await expectProblem(await api.call(`/api/v1/jobs?cursor=${next_cursor}`, { key: theirs }), 404, "not_found");
  });
});

describe("what another tenant owns does not exist", () => {
  test.each([
    ["GET", ""],
    ["DELETE", ""],
    ["POST", "/cancel"],
    ["GET", "/transcript"],
    ["GET", "/events"],
  ])("%s jobs/{id}%s: the same bytes as for an id that never was", async (method, suffix) => {
    const mine = await submit();
    const headers = { "X-Request-Id": "same" };
    const answer = async (id: string) => {
      const response = await api.call(`/api/v1/jobs/${id}${suffix}`, { method, key: theirs, headers });
      return { status: response.status, body: await response.text() };
    };
    const [other, never] = [await answer(mine), await answer("01900000-0000-7000-8000-000000000000")];
    expect(other.status).toBe(404);
    expect(other).toEqual(never);
    expect((await read(mine)).status).toBe("pending");
  });

  test("nor is it listed", async () => {
    await submit();
    const { data } = (await (await api.call("/api/v1/jobs", { key: theirs })).json()) as { data: object[] };
    expect(data).toEqual([]);
  });
});

describe("cancel and delete", () => {
  test("a waiting job is terminal when cancel returns; a second cancel changes nothing", async () => {
    const id = await submit();
    const first = await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    expect(first.status).toBe(202);
    expect(jobSchema.strict().parse(await first.json())).toMatchObject({ job_id: id, status: "cancelled" });
    const cancelled = await read(id);
    const second = await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    expect(second.status).toBe(200);
    expect(await second.json()).toEqual(cancelled);
  });

  test("a running job's worker can write no more", async () => {
    const id = await submit();
    const job = await claim(api.db, id);
    await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    await expect(writeSegments(api.db, job, [segment(0, " late")])).rejects.toThrow("lease");
    expect((await read(id)).status).toBe("cancelled");
  });

  test("a completed job stays completed", async () => {
    const id = await submit();
    await finish(api.db, id, [segment(0, " Hi.")]);
    const response = await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    expect([response.status, ((await response.json()) as { status: string }).status]).toEqual([200, "completed"]);
  });

  test("deleting a live job stops it; deleting it again erases it; then it is 404", async () => {
    const id = await submit();
    const first = await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" });
    expect([first.status, ((await first.json()) as { status: string }).status]).toEqual([202, "cancelled"]);
    const second = await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" });
    expect([second.status, await second.text()]).toEqual([204, ""]);
    await expectProblem(await api.call(`/api/v1/jobs/${id}`), 404, "not_found");
    await expectProblem(await api.call(`/api/v1/jobs/${id}`, { method: "DELETE" }), 404, "not_found");
    const { rows } = await api.db.pool.query("SELECT action, actor FROM audit WHERE target = $1", [id]);
    expect(rows).toEqual([{ action: "job.erased", actor: api.key.slice(3, 11) }]);
  });
});
