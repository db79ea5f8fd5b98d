import { flacSeconds } from "./flac-seconds.ts";
import { type FaultyServer, type ProviderRequest, serveWithFaults } from "./serve-with-faults.ts";

export interface HeardWord {
  word: string;
  start: number;
  end: number;
}

export interface OpenaiStandIn extends FaultyServer {
  /** What a client is given as its base URL. */
  baseUrl: string;
  /** The forms that were sent, without their files. */
  forms: Record<string, string | string[]>[];
  /** Lengths of the files, in seconds. */
  heardSeconds: number[];
}

export interface OpenaiStandInOptions {
  key?: string;
  /** What is heard in a file; a word a second where absent. */
  hear?: (file: Buffer) => HeardWord[];
}

/** Stands in for OpenAI's transcriptions: takes its forms, answers in its three shapes, refuses other keys as it does. */
export async function startOpenaiStandIn(options: OpenaiStandInOptions = {}): Promise<OpenaiStandIn> {
  const { key = "sk-stand-in-0123456789", hear = aWordASecond } = options;
  const forms: OpenaiStandIn["forms"] = [];
  const heardSeconds: number[] = [];
  const server = await serveWithFaults(
    async (request) => {
      if (request.headers.authorization !== `Bearer ${key}`) {
        const given = request.headers.authorization?.slice(7) ?? "";
        return { status: 401, json: errorOf(`Incorrect API key provided: ${given}.`, 401) };
      }
      if (!/^POST \/v1\/audio\/(transcriptions|translations)$/.test(`${request.method} ${request.path}`)) {
        return { status: 404, json: errorOf("Unknown request URL.", 404) };
      }
      const form = await readForm(request);
      const file = form.get("file") as File;
      const bytes = Buffer.from(await file.arrayBuffer());
      if (bytes.length > 25 * 2 ** 20)
        return { status: 413, json: errorOf("Maximum content size limit exceeded", 413) };
      forms.push(fieldsOf(form));
      heardSeconds.push(flacSeconds(bytes));
      return { status: 200, json: answer(form, hear(bytes), flacSeconds(bytes)) };
    },
    (message, status) => errorOf(message, status),
  );
  return Object.assign(server, { baseUrl: `${server.url}/v1`, forms, heardSeconds });
}

async function readForm({ headers, body }: ProviderRequest): Promise<FormData> {
  return await new Response(new Uint8Array(body), {
    headers: { "content-type": headers["content-type"] ?? "" },
  }).formData();
}

function fieldsOf(form: FormData): Record<string, string | string[]> {
  const names = [...new Set(form.keys())].filter((name) => name !== "file");
  return Object.fromEntries(
    names.map((name) => {
      const values = form.getAll(name).map(String);
      return [name, values.length === 1 ? values[0]! : values];
    }),
  );
}

function answer(form: FormData, words: HeardWord[], duration: number): unknown {
  const text = words.map(({ word }) => word).join(" ");
  if (form.get("response_format") === "json") {
    return {
      text,
      logprobs: words.map(({ word }, i) => ({ token: (i > 0 ? " " : "") + word, logprob: Math.log(0.5) })),
    };
  }
  // Its words come without the punctuation that its text has.
  const bare = words.map(({ word, ...times }) => ({ word: word.replaceAll(/[.,!?]/g, ""), ...times }));
  const first = words[0];
  const segment = first && {
    ...{ id: 0, seek: 0, start: first.start, end: words.at(-1)!.end, text: ` ${text}`, tokens: [1, 2] },
    ...{ temperature: 0, avg_logprob: -0.25, compression_ratio: 1.1, no_speech_prob: 0.01 },
  };
  const asksForWords = form.getAll("timestamp_granularities[]").includes("word");
  return {
    ...{ task: "transcribe", language: "english", duration, text, segments: segment ? [segment] : [] },
    ...(asksForWords ? { words: bare } : {}),
  };
}

function aWordASecond(file: Buffer): HeardWord[] {
  return Array.from({ length: Math.floor(flacSeconds(file)) }, (_, i) => ({
    word: `word${i},`,
    start: i,
    end: i + 0.5,
  }));
}

function errorOf(message: string, status: number) {
  const type = status >= 500 ? "server_error" : "invalid_request_error";
  return { error: { message, type, param: null, code: status === 401 ? "invalid_api_key" : null } };
}
