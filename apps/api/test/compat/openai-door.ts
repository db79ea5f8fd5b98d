import { afterAll, beforeAll } from "@jest/globals";
import { makeWav } from "@scribe/testing";
import { segment } from "../drive-jobs.ts";
import { startTestApi, type TestApi } from "../start-test-api.ts";

export type Fields = [name: string, value: string][];

let counter = 0;

/** No two of the same bytes, so that no two requests are equal. */
export function form(fields: Fields, file: Uint8Array | null = makeWav({ seconds: 0.2 + counter++ / 1000 })): FormData {
  const data = new FormData();
  if (file) data.append("file", new Blob([file as Uint8Array<ArrayBuffer>]), "speech.wav");
  for (const [name, value] of fields) data.append(name, value);
  return data;
}

type Post = { file?: Uint8Array | null; headers?: Record<string, string>; path?: string };

/**
 * An API from the suite's start to its end. What its OpenAI door is asked it answers when it knows, or begins to after
 * `headersMs`, as it does for real after longer.
 */
export function useOpenAiDoor(headersMs: number) {
  let api: TestApi;
  beforeAll(async () => {
    api = await startTestApi(
      { COMPAT_MODEL_ALIASES: "my-whisper=whisper-nano.en" },
      { foreignHeadersMs: headersMs, foreignFillerMs: 50, slowReaderMs: 500 },
    );
  }, 60_000);
  afterAll(() => api.stop());
  return {
    get api() {
      return api;
    },
    post: (fields: Fields, more: Post = {}) =>
      api.call(more.path ?? "/v1/audio/transcriptions", {
        method: "POST",
        body: form(fields, more.file),
        ...(more.headers ? { headers: more.headers, key: null } : {}),
      }),
    async nextJob(): Promise<string> {
      for (;;) {
        const { rows } = await api.db.pool.query("SELECT id FROM jobs WHERE status = 'pending' ORDER BY id LIMIT 1");
        if (rows.length > 0) return rows[0].id;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
}

const WORDS = [
  { word: "Good", start: 0, end: 0.4, probability: 0.9 },
  { word: "morning.", start: 0.4, end: 1, probability: 0.8 },
];
export const SEGMENTS = [
  segment(0, "Good morning.", { words: WORDS, extra_data: { tokens: [11, 12] } }),
  segment(1, "Bye.", { extra_data: { tokens: [13] } }),
];
