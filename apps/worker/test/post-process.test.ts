import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { searchSegments, tenantLexicons } from "@scribe/database";
import { type LexiconContent, lexiconContent, type TranscriptionOptions } from "@scribe/domain";
import { openWorkerBox, type WorkerBox } from "./worker-box.ts";

let box: WorkerBox;
beforeAll(async () => {
  box = await openWorkerBox();
});
afterAll(() => box.close());

const CARD = "4111 1111 1111 1111";
const SAID = "My card is 4111 1111 1111 1111 and my email is john dot smith at example dot com thank you";

/** Plays a script of windows; `stopAfter`: the worker dies after so many. */
async function play(script: object, options: TranscriptionOptions, { stopAfter }: { stopAfter?: number } = {}) {
  const { id } = await box.create(
    { audio: false, ...script },
    { options, webhookUrl: "https://example.com/hook", webhookEvents: ["job.completed"] },
  );
  if (stopAfter !== undefined) await die(id, stopAfter);
  return { id };
}

async function die(id: string, windows: number): Promise<void> {
  let seen = 0;
  const fail = (point: string) => {
    if (point === "after-window" && ++seen === windows)
      throw Object.assign(new Error("the process died"), { childDeath: true, jobsHeld: 1 });
  };
  expect(await box.work(id, { ...box.parts, fail: fail as never })).toBe("handed_back");
}

/** Everything that came of a job, as text; not its metadata, in which the rehearsal's script plays the recording. */
async function stored(id: string): Promise<string> {
  const { rows } = await box.db.pool.query<{ text: string }>(
    `SELECT (to_jsonb(j) - 'metadata')::text AS text FROM jobs j WHERE id = $1
     UNION ALL SELECT row_to_json(s)::text FROM segments s WHERE job_id = $1
     UNION ALL SELECT row_to_json(e)::text FROM job_events e WHERE job_id = $1
     UNION ALL SELECT row_to_json(t)::text FROM transcripts t WHERE job_id = $1
     UNION ALL SELECT (body::jsonb #- '{data,metadata}')::text FROM webhook_deliveries d WHERE job_id = $1
     UNION ALL SELECT row_to_json(f)::text FROM search_segments f WHERE job_id = $1`,
    [id],
  );
  return rows.map(({ text }) => text).join("\n");
}

async function result(id: string) {
  expect(await box.work(id)).toBe("completed");
  return (await box.jobs.transcript(id))!;
}

async function lexicon(name: string, content: Partial<LexiconContent>): Promise<TranscriptionOptions> {
  const row = await tenantLexicons(box.db, box.tenant.id).create(name, lexiconContent.parse(content), 1000);
  if (row === null || row === "full") throw new Error("not made");
  return { lexicon: name, lexicon_version: { id: row.id, version: row.version } };
}

describe("a job that redacts", () => {
  test("has the words of what was said nowhere: not in text, words, events, webhook or index", async () => {
    const { id } = await play({ windows: 2, text: SAID }, { redact: ["card", "email"] });
    const { text, segments, original_text } = await result(id);
    expect(text).toBe(Array(2).fill("My card is [CARD] and my email is [EMAIL] thank you").join(" "));
    expect(original_text).toBeUndefined();
    const words = segments[0]!.words!;
    expect(words.map(({ word }) => word).join(" ")).toBe("My card is [CARD] and my email is [EMAIL] thank you");
    const card = words.find(({ word }) => word === "[CARD]")!;
    // The time of its four words, of twenty in thirty seconds.
    expect([card.start, card.end]).toEqual([4.5, 10.5]);
    const everything = await stored(id);
    for (const secret of ["4111", "1111", "smith", "john"]) expect(everything).not.toContain(secret);
    expect(everything).toContain("[CARD]");
  });

  test("finds what one window begins and the next ends, also over the death of its worker", async () => {
    const script = { windows: 3, text: "four one one one one one one three" };
    const { id } = await play(script, { redact: ["card"] }, { stopAfter: 1 });
    const held = await stored(id);
    expect(held).not.toMatch(/four|one one/);
    expect(held).toContain("sealed");
    expect(await box.jobs.segments(id)).toEqual([]);
    const { segments } = await result(id);
    expect(segments.map(({ text }) => text)).toEqual(["[CARD]", "[CARD]", "four one one one one one one three"]);
    expect(await stored(id)).not.toContain("sealed");
  });

  test("starts again where its checkpoint was sealed with a key that is gone", async () => {
    const { id } = await play({ windows: 2, text: SAID }, { redact: ["card"] }, { stopAfter: 1 });
    await box.db.pool.query(
      `UPDATE jobs SET checkpoint = jsonb_set(checkpoint, '{state,sealed}', '"v1.a.b.c"') WHERE id = $1`,
      [id],
    );
    const { segments } = await result(id);
    expect(segments).toHaveLength(2);
  });

  test("has no token ids, which are the text in another alphabet", async () => {
    const { id } = await play({ windows: 1, text: SAID }, { redact: ["card"], extra_data: true });
    expect(JSON.stringify(await result(id))).not.toContain("tokens");
  });

  test("cannot be found by what was said, only by what is left", async () => {
    const { id } = await play({ windows: 1, text: `My card is ${CARD}, marigold.` }, { redact: ["card"] });
    await result(id);
    const find = (q: string) => searchSegments(box.db, box.tenant.id, { q, limit: 10, jobId: id });
    expect(await find("4111")).toEqual([]);
    expect(await find("marigold")).toEqual([expect.objectContaining({ text: "My card is [CARD], marigold." })]);
  });

  test("without words is redacted all the same", async () => {
    const { id } = await play({ windows: 1, text: SAID }, { redact: ["card", "email"], word_timestamps: false });
    const { text, segments } = await result(id);
    expect(text).toBe("My card is [CARD] and my email is [EMAIL] thank you");
    expect(segments[0]!.words).toBeUndefined();
  });
});

describe("a job with a lexicon", () => {
  const text = "Welcome to scribe rabit, said the SCRIBE RABIT. Kubernetties";
  const rules = [
    { find: "scribe rabit", replace: "scribe rabbit" },
    { find: "kubernet*", replace: "Kubernetes" },
  ];

  test("has its words, the case kept, and beside it the text as it was heard", async () => {
    const options = await lexicon("names", { rules });
    const { id } = await play({ windows: 2, text }, options);
    const { text: now, original_text, segments } = await result(id);
    const once = "Welcome to scribe rabbit, said the SCRIBE RABBIT. Kubernetes";
    expect(now).toBe(`${once} ${once}`);
    expect(original_text).toBe(`${text} ${text}`);
    expect(segments[0]).toMatchObject({ text: once, original_text: text });
    expect(segments[0]!.words!.map(({ word }) => word).join(" ")).toBe(once);
    expect((await box.row(id)).warnings).toEqual([]);
  });

  test("keeps the version that stood at its submission, over the death of its worker too", async () => {
    const options = await lexicon("pinned", { rules });
    const { id } = await play({ windows: 2, text }, options, { stopAfter: 1 });
    await tenantLexicons(box.db, box.tenant.id).replace("pinned", lexiconContent.parse({}));
    const { segments, original_text } = await result(id);
    for (const segment of segments) expect(segment.text).toContain("Kubernetes");
    expect(original_text).toBe(`${text} ${text}`);
  });

  test("that was deleted is completed without, and says so", async () => {
    const options = await lexicon("gone", { rules });
    const { id } = await play({ windows: 2, text }, options, { stopAfter: 1 });
    await tenantLexicons(box.db, box.tenant.id).remove("gone");
    // What the first attempt wrote was with the lexicon: one transcript has one.
    const { text: now, original_text } = await result(id);
    expect([now, original_text]).toEqual([`${text} ${text}`, undefined]);
    expect((await box.row(id)).warnings).toEqual([expect.stringContaining('"gone" was deleted')]);
  });

  test("that is broken is completed without, and says so", async () => {
    const options = await lexicon("broken", { rules });
    await box.db.pool.query(`UPDATE lexicon_versions SET content = '{"rules": 7}' WHERE lexicon_id = $1`, [
      options.lexicon_version!.id,
    ]);
    const { id } = await play({ windows: 1, text }, options);
    expect((await result(id)).text).toBe(text);
    expect((await box.row(id)).warnings).toEqual([expect.stringContaining('"broken" could not be applied')]);
  });

  test("and redaction keeps no text as it was heard", async () => {
    const options = await lexicon("both", { rules: [{ find: "exampel", replace: "example" }] });
    const { id } = await play(
      { windows: 1, text: "mail me at john dot smith at exampel dot com please" },
      { ...options, redact: ["email"] },
    );
    const { text: now, original_text } = await result(id);
    expect([now, original_text]).toEqual(["mail me at [EMAIL] please", undefined]);
    expect(await stored(id)).not.toContain("smith");
  });

  test("gives its hotwords to the decoder, with the job's own", async () => {
    const options = await lexicon("hot", { hotwords: ["Kubernetes", "Scribe"] });
    let asked: unknown;
    const synthetic = box.parts.engines.get("synthetic")!;
    const engine = {
      ...synthetic.engine,
      transcribe: (request: Parameters<typeof synthetic.engine.transcribe>[0], signal: AbortSignal) => {
        asked = request.options.hotwords;
        return synthetic.engine.transcribe(request, signal);
      },
    };
    const { id } = await play({ windows: 1 }, { ...options, hotwords: ["Anna", "Scribe"] });
    await box.work(id, { ...box.parts, engines: new Map([["synthetic", { ...synthetic, engine }]]) });
    expect(asked).toEqual(["Anna", "Scribe", "Kubernetes"]);
  });
});
