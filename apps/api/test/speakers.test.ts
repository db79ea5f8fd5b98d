import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { completeJob } from "@scribe/database";
import { claim, finish, segment, writeSegments } from "./drive-jobs.ts";
import { expectProblem, paths } from "./expect-problem.ts";
import { startTestApi, type TestApi } from "./start-test-api.ts";

let api: TestApi;
beforeAll(async () => {
  api = await startTestApi();
}, 60_000);
afterAll(() => api.stop());

async function submit(): Promise<string> {
  const response = await api.call("/api/v1/transcribe", { json: { url: "https://example.com/a.wav", diarize: true } });
  expect(response.status).toBe(202);
  return ((await response.json()) as { job_id: string }).job_id;
}

/** A completed job of two speakers. */
async function conversation(): Promise<string> {
  const id = await submit();
  const job = await claim(api.db, id);
  const word = (speaker: string, start: number) => ({ word: " Hello", start, end: start + 1, probability: 1, speaker });
  const [first, second] = ["SPEAKER_00", "SPEAKER_01"];
  await writeSegments(api.db, job, [
    segment(0, " Hello", { speaker: first, words: [word(first, 0)] }),
    segment(1, " Hello", { speaker: second, words: [word(second, 2)] }),
  ]);
  const turns = [
    { start: 0, end: 2, speaker: first },
    { start: 2, end: 4, speaker: second },
  ];
  await completeJob(
    api.db,
    { jobId: id, epoch: job.leaseEpoch },
    {
      ...{ text: "Hello Hello", language: "en", languageProbability: 1, duration: 8, warnings: [] },
      speakers: [first, second],
      diarization: { method: "test", num_speakers: 2, turns },
    },
  );
  return id;
}

const rename = (id: string, speakers: unknown) =>
  api.call(`/api/v1/jobs/${id}/speakers`, { method: "PATCH", json: { speakers } });
const transcript = async (id: string, format = "json") =>
  await (await api.call(`/api/v1/jobs/${id}/transcript?format=${format}`)).text();

describe("renaming speakers", () => {
  test("changes every format, and every part of the result", async () => {
    const id = await conversation();
    const answer = await rename(id, { SPEAKER_00: "Anna", SPEAKER_01: " Ben " });
    expect([answer.status, await answer.json()]).toEqual([200, { speakers: ["Anna", "Ben"] }]);
    for (const format of ["json", "text", "srt", "vtt", "tsv"]) {
      const body = await transcript(id, format);
      expect(body).toContain("Anna");
      expect(body).not.toContain("SPEAKER_0");
    }
    const { segments, diarization } = JSON.parse(await transcript(id));
    expect(segments.map((each: { words: { speaker: string }[] }) => each.words[0]!.speaker)).toEqual(["Anna", "Ben"]);
    expect(diarization.turns[1].speaker).toBe("Ben");
  });

  test("of one leaves the other, can be done again, and lets two change places", async () => {
    const id = await conversation();
    await rename(id, { SPEAKER_01: "Ben" });
    expect(await (await rename(id, { SPEAKER_00: "Ben", Ben: "SPEAKER_00" })).json()).toEqual({
      speakers: ["Ben", "SPEAKER_00"],
    });
    expect(await (await rename(id, {})).json()).toEqual({ speakers: ["Ben", "SPEAKER_00"] });
  });

  test.each([
    ["nobody of that name", { SPEAKER_07: "Anna" }, "speakers.SPEAKER_07"],
    ["a name that another has", { SPEAKER_00: "SPEAKER_01" }, "speakers.SPEAKER_01"],
    ["two of the same name", { SPEAKER_00: "Anna", SPEAKER_01: "Anna" }, "speakers.SPEAKER_01"],
    ["no name", { SPEAKER_00: "  " }, "speakers.SPEAKER_00"],
    ["a name of two lines", { SPEAKER_00: "a\nb" }, "speakers.SPEAKER_00"],
    ["a name without end", { SPEAKER_00: "a".repeat(129) }, "speakers.SPEAKER_00"],
    ["a list", ["Anna"], "speakers"],
  ])("%s is refused, and nothing changes", async (_what, speakers, path) => {
    const id = await conversation();
    const problem = await expectProblem(await rename(id, speakers), 400, "invalid_request");
    expect(paths(problem)).toEqual([path]);
    expect(JSON.parse(await transcript(id)).speakers).toEqual(["SPEAKER_00", "SPEAKER_01"]);
  });

  test("is not for a job that runs, nor for one that is not there", async () => {
    await expectProblem(await rename(await submit(), {}), 409, "conflict");
    await expectProblem(await rename("0190d1b8-0000-7000-8000-000000000000", {}), 404, "not_found");
  });
});

describe("the timeline", () => {
  const draw = (id: string) => api.call(`/api/v1/jobs/${id}/timeline.svg`);

  test("is a picture that runs nothing", async () => {
    const id = await conversation();
    await rename(id, { SPEAKER_00: "<Anna>" });
    const response = await draw(id);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/svg+xml; charset=utf-8"]);
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
    const svg = await response.text();
    expect(svg).toContain("&lt;Anna&gt;");
    expect(svg.match(/<rect x=/g)).toHaveLength(2);
  });

  test("of a job without speakers there is none", async () => {
    const id = await submit();
    await expectProblem(await draw(id), 409, "conflict");
    await finish(api.db, id, [segment(0, " Hello")]);
    await expectProblem(await draw(id), 409, "conflict");
    await expectProblem(await draw("0190d1b8-0000-7000-8000-000000000000"), 404, "not_found");
  });
});
