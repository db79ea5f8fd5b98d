import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { transcriptSchema } from "../src/http/job-view.ts";
import { claim, finish, segment, writeSegments } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
let done: string;
beforeAll(async () => {
  api = await startTestApi();
  done = await submit();
  await finish(api.db, done, [
    segment(0, " Hello & welcome to this place.", { speaker: "SPEAKER_00" }),
    segment(1, " Thank you.", { speaker: "SPEAKER_01" }),
  ]);
}, 60_000);
afterAll(() => api.stop());

async function submit(): Promise<string> {
  const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav" } });
  return ((await response.json()) as { job_id: string }).job_id;
}
const get = (query = "", id = done) => api.call(`/api/v1/jobs/${id}/transcript${query}`);

describe("a transcript in its five formats", () => {
  test.each([
    [
      "?format=text",
      "text/plain; charset=utf-8",
      "SPEAKER_00: Hello & welcome to this place.\nSPEAKER_01: Thank you.\n",
    ],
    ["?format=text&speakers=false", "text/plain; charset=utf-8", "Hello & welcome to this place.\nThank you.\n"],
    [
      "?format=srt",
      "application/x-subrip; charset=utf-8",
      "1\n00:00:00,000 --> 00:00:01,500\nSPEAKER_00: Hello & welcome to this place.\n\n2\n00:00:02,000 --> 00:00:03,500\nSPEAKER_01: Thank you.\n",
    ],
    [
      "?format=vtt&speakers=false",
      "text/vtt; charset=utf-8",
      "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello &amp; welcome to this place.\n\n00:00:02.000 --> 00:00:03.500\nThank you.\n",
    ],
    [
      "?format=tsv&speakers=false",
      "text/tab-separated-values; charset=utf-8",
      "start\tend\ttext\n0\t1500\tHello & welcome to this place.\n2000\t3500\tThank you.\n",
    ],
  ])("%s", async (query, type, text) => {
    const response = await get(query);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, type]);
    expect(await response.text()).toBe(text);
    expect(response.headers.get("content-disposition")).toBeNull();
  });

  test("json is the job's result, with speakers or without", async () => {
    const whole = transcriptSchema.strict().parse(await (await get()).json());
    expect(whole.text).toBe("Hello & welcome to this place. Thank you.");
    expect(whole.segments.map(({ speaker }) => speaker)).toEqual(["SPEAKER_00", "SPEAKER_01"]);
    const plain = transcriptSchema.strict().parse(await (await get("?format=json&speakers=false")).json());
    expect(JSON.stringify(plain)).not.toContain("SPEAKER");
  });

  test("lines are broken as asked", async () => {
    const two = await (await get("?format=srt&max_chars_per_line=16&max_lines=2&speakers=false")).text();
    expect(two).toContain("Hello & welcome\nto this place.\n");
    const one = await (await get("?format=vtt&max_chars_per_line=16&max_lines=1&speakers=0")).text();
    expect(one.match(/-->/g)).toHaveLength(3);
    expect((await get("?format=srt&max_lines=1")).status).toBe(200);
  });

  test.each([
    ["json", "json"],
    ["text", "txt"],
    ["srt", "srt"],
  ])("download=1 names a file (%s)", async (format, extension) => {
    const response = await get(`?format=${format}&download=1`);
    expect(response.headers.get("content-disposition")).toBe(`attachment; filename="${done}.${extension}"`);
  });
});

describe("what there is not", () => {
  test("a job that is not completed is 409; partial=true gives what there is", async () => {
    const id = await submit();
    await expectProblem(await get("", id), 409, "conflict");
    expect(await (await get("?partial=true", id)).json()).toEqual({ partial: true, segments: [] });
    const job = await claim(api.db, id);
    await writeSegments(api.db, job, [segment(0, " So far.")]);
    expect(await (await get("?partial=true", id)).json()).toMatchObject({
      partial: true,
      segments: [{ text: " So far." }],
    });
    expect(await (await get("?partial=true&format=text", id)).text()).toBe("So far.\n");
    await api.call(`/api/v1/jobs/${id}/cancel`, { method: "POST" });
    await expectProblem(await get("", id), 409, "conflict");
    expect(await (await get("?partial=true", id)).json()).toMatchObject({ partial: true, segments: [{ id: 0 }] });
  });

  test("partial=true of a completed job is the whole", async () => {
    expect(await (await get("?partial=true")).json()).toMatchObject({ language: "en", duration: 8 });
  });

  test.each([
    ["?format=docx", "format"],
    ["?format=srt&max_chars_per_line=0", "max_chars_per_line"],
    ["?format=text&max_lines=2", "max_lines"],
    ["?speakers=maybe", "speakers"],
    ["?font=serif", "font"],
  ])("%s is 400", async (query, name) => {
    expect(paths(await expectProblem(await get(query), 400, "invalid_request"))).toEqual([name]);
  });
});
