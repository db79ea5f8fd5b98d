import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { startTestStack, type TestStack } from "@scribe/testing";

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack({ LOG_LEVEL: "debug" });
}, 90_000);
afterAll(() => stack.stop());

async function post(path: string, json: object): Promise<Response> {
  return await stack.call(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(json),
  });
}

test("a call with a card in it: nobody who watches, reads, searches or looks into the log sees its number", async () => {
  const rules = [{ find: "scribe rabit", replace: "Scribe Rabbit" }];
  expect((await post("/api/v1/lexicons", { name: "products", rules })).status).toBe(201);
  const text = "Welcome to scribe rabit, my card is four one one one one one one one one one one one one one one one";
  const synthetic = JSON.stringify({ audio: false, windows: 3, text: `${text}, marigold.`, delay_ms: 50 });
  const submitted = await post("/api/v1/transcribe", {
    ...{ url: "https://example.com/a.wav", engine: "synthetic", lexicon: "products", redact: ["card"] },
    metadata: { synthetic },
  });
  expect(submitted.status).toBe(202);
  const { job_id: id } = (await submitted.json()) as { job_id: string };

  const events = await (await stack.call(`/api/v1/jobs/${id}/events`)).text();
  expect(events.match(/event: segment/g)).toHaveLength(3);
  const get = async (path: string) => await (await stack.call(`/api/v1${path}`)).text();
  const read = [events];
  for (const format of ["json", "text", "srt", "vtt", "tsv"])
    read.push(await get(`/jobs/${id}/transcript?format=${format}`));
  read.push(await get(`/jobs/${id}/paragraphs`), await get("/search?q=marigold"));
  for (const body of read) {
    expect(body).toContain("Welcome to Scribe Rabbit, my card is [CARD]");
    expect(body).not.toMatch(/four|one one/);
  }
  expect(JSON.parse(await get("/search?q=marigold")).data).toHaveLength(3);
  expect(JSON.parse(await get('/search?q="one one"')).data).toEqual([]);
  expect(stack.process.output()).not.toMatch(/one one one/);
}, 60_000);
