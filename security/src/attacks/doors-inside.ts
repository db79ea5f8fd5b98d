import { type Stage, type StageCall, untilEnded } from "../stage/open-stage.ts";

/** A place where a caller names an address, beside the three that are asked with every one. */
interface Place {
  name: string;
  ask: (url: string) => [path: string, init: StageCall];
  /** What an accepted request leaves to wait for. */
  jobs?: (answer: Record<string, unknown>) => string[];
}

const idOf = ({ id, request_id, job_id }: Record<string, unknown>) => [String(id ?? request_id ?? job_id)];

/**
 * Front doors, batches, settings and tests of webhooks. `harmless` is an address whose audio fails: webhooks are told of it.
 */
function placesOfAddresses(harmless: string): Place[] {
  const json = (path: string, body: (url: string) => unknown, jobs?: Place["jobs"]) => ({
    ask: (url: string): [string, StageCall] => [path, { json: body(url) }],
    ...(jobs && { jobs }),
  });
  const listen = (callback: string) => `/deepgram/v1/listen?callback=${encodeURIComponent(callback)}`;
  const transcript = "/assemblyai/v2/transcript";
  const run = "/runpod/v2/x/run";
  const batch = "/api/v1/batches";
  const silent = { engine: "synthetic", metadata: { synthetic: '{"windows":1}' } };
  return [
    { name: "Deepgram's url", ...json(listen("https://example.com/hook"), (url) => ({ url }), idOf) },
    {
      name: "Deepgram's callback",
      ask: (url) => [listen(url), { json: { url: harmless } }],
      jobs: idOf,
    },
    { name: "AssemblyAI's audio_url", ...json(transcript, (url) => ({ audio_url: url }), idOf) },
    {
      name: "AssemblyAI's webhook_url",
      ...json(
        transcript,
        (url) => ({
          ...{ audio_url: harmless, webhook_url: url },
          ...{ webhook_auth_header_name: "authorization", webhook_auth_header_value: "Bearer theirs" },
        }),
        idOf,
      ),
    },
    { name: "RunPod's url", ...json(run, (url) => ({ input: { url } }), idOf) },
    { name: "RunPod's webhook", ...json(run, (url) => ({ input: { url: harmless }, webhook: url }), idOf) },
    { name: "RunPod's webhook_url", ...json(run, (url) => ({ input: { url: harmless, webhook_url: url } }), idOf) },
    {
      name: "the storage service's url",
      ...json("/compat/storage/-/api/jobs", (url) => ({ url }), idOf),
    },
    { name: "an item of a batch", ...json(batch, (url) => ({ ...silent, items: [{ url }] })) },
    {
      name: "a webhook of a batch",
      ...json(batch, (url) => ({ ...silent, items: [{ url: harmless }], webhook_url: url })),
    },
    {
      name: "a provider's base URL",
      ask: (url) => [
        "/api/v1/providers/openai",
        { method: "PUT", json: { api_key: "sk-theirs", base_url: url, models: ["whisper-1"] } },
      ],
    },
    { name: "a webhook's test", ...json("/api/v1/webhooks/test", (url) => ({ url })) },
    {
      name: "an older webhook's test",
      ask: (url) => [`/api/v1/webhook/test?webhook_url=${encodeURIComponent(url)}`, { method: "POST" }],
    },
    {
      name: "an enhancement's webhook",
      ...json("/api/v1/enhanced-ai", (url) => ({ text: "We met.", tasks: ["summary"], webhook_url: url })),
    },
  ];
}

/** Refused, or taken and then not gone to; too many tests of webhooks in a minute are refused, too. */
const EXPECTED = new Set([200, 201, 202, 400, 429]);

/** Shows each place its share of the addresses, and waits for what was accepted. How many requests that were. */
export async function showDoorsInside(
  stage: Stage,
  o: { urls: readonly string[]; harmless: string; broken: { add(what: string): void } },
): Promise<{ asked: number; places: number; accepted: number }> {
  const places = placesOfAddresses(o.harmless);
  const most = stage.short ? 4 : 60;
  const step = Math.max(1, Math.floor(o.urls.length / most));
  let asked = 0;
  const accepted: string[] = [];
  for (const [at, place] of places.entries()) {
    // Each place begins elsewhere, so that together they see most of them.
    const share = o.urls.filter((_, index) => index % step === at % step).slice(0, most);
    for (const url of share) {
      asked += 1;
      const [path, init] = place.ask(url);
      const answer = await stage.call(path, init);
      // Without a chat endpoint an enhancement is refused before its address is looked at.
      const isOff = answer.status === 503 && path === "/api/v1/enhanced-ai";
      if (!EXPECTED.has(answer.status) && !isOff) o.broken.add(`${place.name} ${url}: ${answer.status} ${answer.text}`);
      if (answer.status < 300) accepted.push(...(place.jobs?.(answer.json()) ?? []));
      if (answer.status < 300 && place.name === "a provider's base URL") accepted.push(await askProvider(stage));
    }
  }
  await stage.call("/api/v1/providers/openai", { method: "DELETE" });
  for (const id of accepted) await untilEnded(stage, id, 300_000);
  const batches = (await stage.call("/api/v1/batches?limit=100")).json() as { data: { batch_id: string }[] };
  for (const { batch_id } of batches.data) {
    const jobs = (await stage.call(`/api/v1/jobs?batch_id=${batch_id}&limit=100`)).json() as {
      data: { job_id: string }[];
    };
    for (const { job_id } of jobs.data) await untilEnded(stage, job_id, 300_000);
  }
  return { asked, places: places.length, accepted: accepted.length };
}

/** A job whose audio is here, so that nothing lies between it and the provider's address. */
async function askProvider(stage: Stage): Promise<string> {
  const form = new FormData();
  form.append("engine", "openai");
  form.append("file", new Blob([silence()]), "a.wav");
  const answer = await stage.call("/api/v1/transcribe/upload", { method: "POST", body: form });
  return String(answer.json().job_id);
}

/** A second of silence: 16 kHz, mono, 16 bit. */
function silence(): Uint8Array<ArrayBuffer> {
  const data = Buffer.alloc(32_000);
  const head = Buffer.alloc(44);
  head.write("RIFF\0\0\0\0WAVEfmt ", "latin1");
  head.writeUInt32LE(36 + data.length, 4);
  for (const [at, value] of [
    [16, 16],
    [24, 16_000],
    [28, 32_000],
    [40, data.length],
  ] as const)
    head.writeUInt32LE(value, at);
  for (const [at, value] of [
    [20, 1],
    [22, 1],
    [32, 2],
    [34, 16],
  ] as const)
    head.writeUInt16LE(value, at);
  head.write("data", 36, "latin1");
  return new Uint8Array(Buffer.concat([head, data]));
}
