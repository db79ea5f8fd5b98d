import { flacSeconds } from "./flac-seconds.ts";
import { type FaultyServer, serveWithFaults } from "./serve-with-faults.ts";

export interface AssemblyaiStandIn extends FaultyServer {
  /** What was asked for, in the order of coming. */
  created: Record<string, unknown>[];
  /** How often a transcript says that it is being made before it is. */
  pendingLooks: number;
  /** What the next transcripts end with, instead of words. */
  error: string | null;
  /** Forgets every transcript. */
  forget(): void;
}

interface Kept {
  looks: number;
  transcript: Record<string, unknown>;
}

/** Stands in for AssemblyAI: upload, create, poll. Says a word a second; two speakers take turns every five words. */
export async function startAssemblyaiStandIn(options: { key?: string } = {}): Promise<AssemblyaiStandIn> {
  const { key = "stand-in-0123456789abcdef" } = options;
  const uploads = new Map<string, number>();
  const transcripts = new Map<string, Kept>();
  const created: Record<string, unknown>[] = [];

  const server = await serveWithFaults(
    async ({ method, path, headers, body }) => {
      if (headers.authorization !== key)
        return { status: 401, json: { error: "Authentication error, API token missing/invalid" } };
      if (method === "POST" && path === "/v2/upload") {
        const address = `${server.url}/upload/${uploads.size + 1}`;
        uploads.set(address, flacSeconds(body));
        return { status: 200, json: { upload_url: address } };
      }
      if (method === "POST" && path === "/v2/transcript") {
        const asked = JSON.parse(body.toString()) as Record<string, unknown>;
        const seconds = uploads.get(String(asked.audio_url));
        if (seconds === undefined) return { status: 400, json: { error: "audio_url is not reachable" } };
        created.push(asked);
        const id = `transcript-${created.length}`;
        const said = standIn.error === null ? completed(seconds, asked) : { status: "error", error: standIn.error };
        transcripts.set(id, { looks: standIn.pendingLooks, transcript: { id, ...said } });
        return { status: 200, json: { id, status: "queued" } };
      }
      const kept = transcripts.get(path.replace("/v2/transcript/", ""));
      if (!kept || method !== "GET")
        return { status: 404, json: { error: "Transcript lookup error, transcript id not found" } };
      if (kept.looks-- > 0) return { status: 200, json: { id: kept.transcript.id, status: "processing" } };
      return { status: 200, json: kept.transcript };
    },
    (error) => ({ error }),
  );
  const standIn: AssemblyaiStandIn = Object.assign(server, {
    created,
    pendingLooks: 1,
    error: null,
    forget: () => transcripts.clear(),
  });
  return standIn;
}

function completed(seconds: number, { speaker_labels }: Record<string, unknown>) {
  const words = Array.from({ length: Math.floor(seconds) }, (_, i) => ({
    text: i % 5 === 4 ? `word${i}.` : `word${i}`,
    ...{ start: i * 1000, end: i * 1000 + 500, confidence: 0.5 },
    speaker: speaker_labels === true ? (Math.floor(i / 5) % 2 === 0 ? "B" : "A") : null,
  }));
  const utterances = [];
  for (let at = 0; at < words.length; at += 5) {
    const spoken = words.slice(at, at + 5);
    utterances.push({ speaker: spoken[0]!.speaker, start: spoken[0]!.start, end: spoken.at(-1)!.end });
  }
  return {
    ...{ status: "completed", language_code: "en_us", language_confidence: 0.9, words },
    text: words.map(({ text }) => text).join(" "),
    utterances: speaker_labels === true ? utterances : null,
  };
}
