import { randomUUID } from "node:crypto";
import {
  createKey,
  createUser,
  ensureTenant,
  tenantInvitations,
  tenantJobs,
  tenantProviders,
  tenantUploads,
} from "@scribe/database";
import { uuidV7 } from "@scribe/domain";
import { claim, finish, segment } from "./drive-jobs.ts";
import type { TestApi } from "./start-test-api.ts";
import { wav } from "./uploads.ts";

/** What a tenant has, by kind. */
export interface Things {
  job: string;
  failed: string;
  batch: string;
  upload: string;
  key: string;
  delivery: string;
  endpoint: string;
  enhancement: string;
  cursor: string;
  page: string;
  lexicon: string;
  provider: string;
  member: string;
  invitation: string;
  resumable: string;
  note: string;
}

/** One of each kind, of the tenant `theirs`. */
export async function makeTheirs(api: TestApi): Promise<Things> {
  const { id: tenantId } = await ensureTenant(api.db, "theirs");
  const { id: key, key: theirKey } = await createKey(api.db, {
    ...{ tenantId, name: "k", scopes: ["transcribe", "manage"] },
  });
  const call = async (json: object, headers = {}) => {
    const response = await api.call("/api/v1/transcribe", { json, key: theirKey, headers });
    return ((await response.json()) as { job_id: string }).job_id;
  };
  const url = { url: "https://example.com/a.wav", webhook_url: "https://example.com/hook" };
  const [done, failed] = [await call(url), await call(url, { "Idempotency-Key": "shared" })];
  await finish(api.db, done, [segment(0, "theirs alone"), segment(1, "alone once more")]);
  await claim(api.db, failed);
  await tenantJobs(api.db, tenantId).cancel(failed);
  const upload = await tenantUploads(api.db, tenantId).create({
    ...{ state: "stored", sizeBytes: 10, storageKey: `audio/${tenantId}/x/source` },
    expiresAt: new Date(Date.now() + 3_600_000),
  });
  await api.call("/api/v1/lexicons", { json: { name: "theirs", hotwords: ["theirs"] }, key: theirKey });
  await tenantProviders(api.db, tenantId).put("openai", { apiKey: "k", baseUrl: null, models: [] });
  const found = await (await api.call("/api/v1/search?q=alone&limit=1", { key: theirKey })).json();
  const page = await (await api.call("/api/v1/jobs?limit=1", { key: theirKey })).json();
  const [row] = (await api.db.pool.query("SELECT id, endpoint_id FROM webhook_deliveries WHERE job_id = $1", [done]))
    .rows;
  const batch = await api.call("/api/v1/batches", {
    json: { items: [url].map(({ url }) => ({ url })) },
    key: theirKey,
  });
  const resumableId = uuidV7();
  const resumable = await tenantUploads(api.db, tenantId).create({
    ...{ id: resumableId, state: "presigned", sizeBytes: 10, storageKey: `uploads/${tenantId}/${resumableId}/tus` },
    expiresAt: upload.expiresAt,
  });
  const invitation = await tenantInvitations(api.db, tenantId).create({
    ...{ email: "i@example.com", role: "viewer", tokenHash: Buffer.alloc(32, 1), expiresAt: upload.expiresAt },
  });
  await tenantInvitations(api.db, tenantId).create({
    ...{ email: "m@example.com", role: "member", tokenHash: Buffer.alloc(32, 2), expiresAt: upload.expiresAt },
  });
  const made = await createUser(api.db, {
    ...{ email: "m@example.com", passwordHash: "-", invitation: Buffer.alloc(32, 2) },
  });
  if (typeof made === "string") throw new Error(made);
  const enhancement = await api.call("/api/v1/enhanced-ai", {
    json: { transcription_job_id: done, tasks: ["summary"] },
    key: theirKey,
  });
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(wav)]), "speech.wav");
  const note = await api.call("/compat/notes/-/jobs", { method: "POST", body: form, key: theirKey });
  return {
    note: ((await note.json()) as { job_id: string }).job_id,
    enhancement: ((await enhancement.json()) as { job_id: string }).job_id,
    ...{ member: made.user.id, invitation: invitation.id, resumable: resumable.id },
    batch: ((await batch.json()) as { batch_id: string }).batch_id,
    ...{ job: done, failed, upload: upload.id, key, delivery: row.id, endpoint: row.endpoint_id },
    cursor: (page as { next_cursor: string }).next_cursor,
    ...{ page: (found as { next_cursor: string }).next_cursor, lexicon: "theirs", provider: "openai" },
  };
}

/** Ids of the same form that nothing has. */
export function makeNobodys(): Things {
  const cursorOf = (id: string) =>
    Buffer.from(`${new Date().toISOString()} ${id} ${"x".repeat(12)}`).toString("base64url");
  return {
    note: randomUUID(),
    enhancement: uuidV7(),
    ...{ member: uuidV7(), invitation: uuidV7(), resumable: uuidV7() },
    batch: uuidV7(),
    ...{ job: uuidV7(), failed: uuidV7(), upload: uuidV7(), key: uuidV7(), delivery: uuidV7(), endpoint: uuidV7() },
    cursor: cursorOf(uuidV7()),
    ...{
      page: Buffer.from(`${uuidV7()} 0 ${"x".repeat(12)}`).toString("base64url"),
      lexicon: "nobodys",
      provider: "assemblyai",
    },
  };
}
