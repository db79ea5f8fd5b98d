import { type Attack, Broken } from "../attack.ts";
import { percentile } from "../percentile.ts";
import type { Stage, StageAnswer, StageCall } from "../stage/open-stage.ts";

const PAIRS = 2_000;
const SHARE = 1.1;

interface Document {
  paths: Record<string, Record<string, { operationId: string; description: string; security: unknown[] }>>;
}

const ABSENT = "01900000-0000-7000-8000-000000000000";

/**
 * Every route of the document that takes an id in its path, and those that take one elsewhere, with the ids of another
 * tenant and with one that nothing has. That no route is forgotten is what the API's own test of isolation sees to.
 */
export const tenantMatrix: Attack = {
  name: "tenants",
  what: "every route × another tenant's ids in path, body, query and cursor",
  mustHold: "404 with the same bytes as for an id that nothing has; medians within 10 %",
  async run(stage) {
    const broken = new Broken();
    const theirs = await makeThings(stage);
    const mine = await stage.makeKey(["transcribe", "manage"], { tenantId: await stage.makeTenant("mine") });
    const user = await stage.makeUser();
    /** A key, somebody who logged in, and the same with the other tenant's id in the header that chooses tenants. */
    const callers: [string, string, Record<string, string>][] = [
      ["a key", mine.key, { "x-tenant-id": theirs.tenantId }],
      ["a user", user.accessToken, {}],
      ["a user who says to be theirs", user.accessToken, { "x-tenant-id": theirs.tenantId }],
    ];
    const document = (await stage.call("/openapi.json")).json() as unknown as Document;
    const ids = Object.entries(theirs.ids);
    let count = 0;

    const compare = async (what: string, ask: (id: string) => [string, StageCall], foreign: string) => {
      // In short, each place is asked by one of them in turn.
      const asking = stage.short ? callers.slice(count % callers.length).slice(0, 1) : callers;
      for (const [who, key, header] of asking) {
        count += 1;
        const answerTo = async (id: string) => {
          const [path, init] = ask(id);
          const headers = { ...init.headers, ...header, "x-request-id": "the-same" };
          return seen(await stage.call(path, { ...init, key, headers }));
        };
        const [one, other] = [await answerTo(foreign), await answerTo(ABSENT)];
        if (one !== other) broken.add(`${who}, ${what}: ${one} instead of ${other}`);
        if (!one.startsWith("404 ")) broken.add(`${who}, ${what}: ${one}`);
      }
    };

    for (const [path, methods] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!path.includes("{id}") || operation.description.includes("`admin`") || operation.security.length === 0)
          continue;
        if (OWN_WORDS.has(operation.operationId)) continue;
        const bodies: Record<string, unknown> = {
          ...{ rotateKey: {}, linkTranscript: {} },
          renameSpeakers: { speakers: { SPEAKER_00: "Ada" } },
          changeRole: { role: "viewer" },
        };
        const json = bodies[operation.operationId];
        for (const [kind, id] of ids) {
          await compare(
            `${method} ${path} with a ${kind}`,
            (each) => [
              path.replace("{id}", each).replace("{endpoint}", "x") + (QUERIES[operation.operationId] ?? ""),
              {
                method: method.toUpperCase(),
                headers: path.includes("/tus/") ? TUS : {},
                ...(json === undefined ? {} : { json }),
              },
            ],
            id,
          );
        }
      }
    }
    for (const [kind, id] of ids) {
      await compare(`upload_id of a ${kind}`, (each) => ["/api/v1/transcribe", { json: { upload_id: each } }], id);
      await compare(`job_id of a ${kind}`, (each) => [`/api/v1/webhooks/deliveries?job_id=${each}`, {}], id);
    }
    for (const name of ["lexicons/theirs", "providers/assemblyai"]) {
      for (const method of ["GET", "DELETE"]) {
        const [kind = ""] = name.split("/");
        const path = (id: string) => `/api/v1/${kind}/${id === ABSENT ? ABSENT_NAMES[kind] : name.split("/")[1]}`;
        await compare(`${method} ${name}`, (each) => [path(each), { method }], "theirs");
      }
    }
    for (const [kind, id] of ids) {
      const items = (each: string) => ({ items: [{ upload_id: each }] });
      await compare(`an item with the upload of a ${kind}`, (each) => ["/api/v1/batches", { json: items(each) }], id);
      await compare(`jobs of a ${kind} as batch`, (each) => [`/api/v1/jobs?batch_id=${each}`, {}], id);
      await compare(`batches behind a ${kind}`, (each) => [`/api/v1/batches?cursor=${each}`, {}], id);
      await compare(`transcripts behind a ${kind}`, (each) => [`/assemblyai/v2/transcript?after_id=${each}`, {}], id);
      const enhance = (each: string) => ({ transcription_job_id: each, tasks: ["summary"] });
      await compare(`an enhancement of a ${kind}`, (each) => ["/api/v1/enhanced-ai", { json: enhance(each) }], id);
      const uploaded = (each: string) => ({ audio_url: `http://x/assemblyai/v2/upload/${each}` });
      await compare(`audio of a ${kind}`, (each) => ["/assemblyai/v2/transcript", { json: uploaded(each) }], id);
    }
    const cursors = (id: string) => (id === ABSENT ? unknownCursor() : theirs.cursor);
    await compare("a cursor", (each) => [`/api/v1/jobs?cursor=${cursors(each)}`, {}], "theirs");
    const after = await stage.call(`/api/v1/jobs/${theirs.ids.job}`, { key: theirs.key });
    if (after.status !== 200) broken.add(`the other tenant's job is gone: ${after.status}`);

    const { own, seen: medians } = await compareTimes(stage, broken, mine.key, theirs.ids.job);
    return { count: count + own, seen: `${count} places, ${medians}`, broken: broken.list };
  },
};

function seen({ status, headers, text }: StageAnswer): string {
  const kept = [...headers]
    .filter(([name]) => !/^(date|ratelimit)$/.test(name))
    .map(([name, value]) => `${name}: ${value}`);
  return `${status} ${kept.join("; ")} ${text}`;
}

/** The protocol asks for HEAD there, and says so to whoever sends GET. */
const OWN_WORDS = new Set(["readResumableUpload"]);
const TUS = {
  ...{ "tus-resumable": "1.0.0", "upload-offset": "0", "content-type": "application/offset+octet-stream" },
};
const QUERIES: Readonly<Record<string, string>> = { assemblyaiWordSearch: "?words=a", runpodStatusSync: "?wait=1000" };
const ABSENT_NAMES: Readonly<Record<string, string>> = { lexicons: "nobodys", providers: "openai" };

/** Everything that a tenant can have. */
async function makeThings(stage: Stage) {
  const tenantId = await stage.makeTenant("theirs");
  const { id, key } = await stage.makeKey(["transcribe", "manage"], { tenantId });
  const script = '{"windows":1,"audio":false}';
  const make = async () => {
    const json = {
      ...{ url: "https://example.com/a.wav", engine: "synthetic", metadata: { synthetic: script } },
      ...{ webhook_url: "https://example.com/hook" },
    };
    return String((await stage.call("/api/v1/transcribe", { json, key })).json().job_id);
  };
  const [job] = [await make(), await make()];
  await stage.call(`/api/v1/jobs/${job}/cancel`, { method: "POST", key });
  const page = (await stage.call("/api/v1/jobs?limit=1", { key })).json() as { next_cursor: string };
  const deliveries = (await stage.call(`/api/v1/webhooks/deliveries?job_id=${job}`, { key })).json() as {
    data: { id: string }[];
  };
  const endpoints = (await stage.call("/api/v1/webhooks/endpoints", { key })).json() as { data: { id: string }[] };
  await stage.call("/api/v1/lexicons", { json: { name: "theirs", hotwords: ["theirs"] }, key });
  await stage.call("/api/v1/providers/assemblyai", { method: "PUT", json: { api_key: "theirs" }, key });
  const batch = await stage.call("/api/v1/batches", { json: { items: [{ url: "https://example.com/a.wav" }] }, key });
  const text = { text: "We met.", tasks: ["summary"] };
  const enhancement = await stage.call("/api/v1/enhanced-ai", { json: text, key });
  const tus = { "tus-resumable": "1.0.0", "upload-length": "10" };
  const upload = await stage.call("/api/v1/files/tus", { method: "POST", headers: tus, key });
  const made = {
    ...{ job, key: id, delivery: deliveries.data[0]?.id, endpoint: endpoints.data[0]?.id },
    batch: batch.json().batch_id as string | undefined,
    enhancement: enhancement.json().job_id as string | undefined,
    upload: upload.headers.get("location")?.split("/").at(-1),
  };
  const missing = Object.entries(made).filter(([, each]) => each === undefined);
  if (missing.length > 0) throw new Error(`not made: ${missing.map(([kind]) => kind).join(", ")}`);
  return { key, tenantId, cursor: page.next_cursor, ids: made as Record<keyof typeof made, string> };
}

function unknownCursor(): string {
  return Buffer.from(`${new Date().toISOString()} ${ABSENT} ${"x".repeat(12)}`).toString("base64url");
}

async function compareTimes(stage: Stage, broken: Broken, key: string, foreign: string) {
  const pairs = stage.short ? 100 : PAIRS;
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < pairs + 20; round++) {
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    for (const which of order) {
      const startedAt = performance.now();
      await stage.call(`/api/v1/jobs/${which === 0 ? foreign : ABSENT}`, { key });
      // The first ones warm up.
      if (round >= 20) times[which as 0 | 1].push(performance.now() - startedAt);
    }
  }
  const [one, other] = [percentile(times[0], 0.5), percentile(times[1], 0.5)];
  if (!stage.short && Math.max(one, other) > Math.min(one, other) * SHARE) {
    broken.add(`medians ${one.toFixed(3)} ms and ${other.toFixed(3)} ms`);
  }
  return { own: pairs * 2, seen: `${pairs} pairs: medians ${one.toFixed(2)} and ${other.toFixed(2)} ms` };
}
