import { jobFields, legacySegment, type Segment } from "@scribe/domain";
import type { Profile } from "../profile.ts";

const USUAL_LANGUAGE = "he";

const JOB_FIELDS = new Set([...Object.keys(jobFields), "url", "upload_id"]);
const ENHANCE_FIELDS = new Set([
  "transcription_job_id",
  "text",
  "tasks",
  "prompt",
  "target_language",
  "schema",
  "webhook_url",
  "metadata",
]);

/** The older switches of the second step, by the task that each stands for. */
const ENHANCE_SWITCHES = {
  enable_summarization: "summary",
  enable_entity_extraction: "entities",
  enable_sentiment_analysis: "sentiment",
  enable_keywords: "keywords",
} as const;

type Fields = Record<string, unknown>;

/** The FastAPI service of the same name, whose callers keep their paths and their keys' place. */
export const legacyProfile: Profile = {
  readInput(operation, input) {
    if (operation === "transcribe" || operation === "transcribeUpload") return readJob(input);
    if (operation === "enhance") return readEnhance(input);
    return { input, ignored: [] };
  },

  answer(operation, status, body) {
    if (operation === "transcribe" || operation === "transcribeUpload" || operation === "enhance") {
      return status === 202 ? { status: 200, body: acceptedOf(body as Fields) } : { status, body };
    }
    if (operation === "deleteJob") {
      return { status: 200, body: { message: status === 202 ? "Job cancelled" : "Job deleted successfully" } };
    }
    if (operation === "getJob") return { status, body: jobOf(body as Fields) };
    if (operation === "listJobs") {
      const { data, ...rest } = body as { data: Fields[] };
      return { status, body: { ...rest, data: data.map(jobOf) } };
    }
    return { status, body };
  },
};

function readJob(input: Fields): { input: Fields; ignored: string[] } {
  const { known, ignored } = split(input, JOB_FIELDS);
  return { input: { language: USUAL_LANGUAGE, ...known }, ignored };
}

function readEnhance(input: Fields): { input: Fields; ignored: string[] } {
  const { custom_prompt: custom, custom_instructions: instructions, ...given } = input;
  const { known, ignored } = split(given, ENHANCE_FIELDS);
  const switched = Object.entries(ENHANCE_SWITCHES).flatMap(([name, task]) => (input[name] === true ? [task] : []));
  const prompt = [custom, instructions].filter((text) => typeof text === "string" && text !== "").join("\n\n");
  const asked = [...switched, ...(prompt === "" ? [] : ["custom"])];
  const tasks = known.tasks ?? (asked.length > 0 ? asked : ["summary"]);
  return {
    input: { ...known, tasks, ...(prompt === "" ? {} : { prompt }) },
    ignored: ignored.filter((name) => !(name in ENHANCE_SWITCHES)),
  };
}

function split(input: Fields, names: ReadonlySet<string>): { known: Fields; ignored: string[] } {
  const known = Object.entries(input).filter(([name, value]) => names.has(name) && value !== null);
  return { known: Object.fromEntries(known), ignored: Object.keys(input).filter((name) => !names.has(name)) };
}

function acceptedOf({ job_id, status, created_at, message = "The job is accepted." }: Fields): Fields {
  return { job_id, status, created_at, message };
}

/** An error is a text, and a segment has a list of speakers. */
function jobOf({ error, result, ...job }: Fields): Fields {
  const { segments, ...rest } = (result ?? {}) as { segments?: Segment[] };
  return {
    ...job,
    ...(error === undefined ? {} : { error: (error as { message?: unknown } | null)?.message ?? null }),
    ...(result === undefined ? {} : { result: { ...rest, segments: segments?.map(legacySegment) ?? [] } }),
  };
}
