import { randomBytes } from "node:crypto";
import { type Attack, Broken } from "../attack.ts";
import { ALLOWED_ADDRESS, type Stage, untilEnded } from "../stage/open-stage.ts";

/** Comes last: sends what secrets there are through every door, then searches all that was said in the whole run. */
export const leakedSecrets: Attack = {
  name: "secrets",
  what: "all logs of the run, and all answers but those that exist to hand a secret over",
  mustHold: "none of the secrets appears",
  async run(stage) {
    const broken = new Broken();
    const { secrets, call } = stage;
    const secret = (what: string, text: string) => {
      secrets.add(what, text);
      return text;
    };
    const plain = randomBytes(24).toString("hex");
    secret("a token in an audio URL", plain);
    const signed = secret("a signature in an audio URL", randomBytes(32).toString("hex"));
    const webhook = secret("a job's webhook secret", `whsec_${randomBytes(32).toString("base64")}`);
    const provider = secret("a provider's key", `sk-proj-${randomBytes(24).toString("hex")}`);
    const instance = (await call("/api/v1/webhooks/secret", { handsOver: true })).json();
    secret("the tenant's webhook secret", String(instance.secret));
    const rotated = (await call("/api/v1/webhooks/secret/rotate", { method: "POST", handsOver: true })).json();
    secret("the tenant's new webhook secret", String(rotated.secret));
    await stage.makeKey(["read"]);

    const url = `http://${ALLOWED_ADDRESS}:9/a.wav?token=${plain}&X-Amz-Signature=${signed}`;
    const headers = { "x-openai-api-key": provider, "x-assemblyai-api-key": provider };
    const bodies = [
      { url, webhook_url: `http://${ALLOWED_ADDRESS}:9/hook?token=${plain}`, webhook_secret: webhook },
      { url, webhook_secret: `${webhook}x` },
      { url, webhook_secret: webhook, unknown: provider },
      { url: `http://user:${plain}@${ALLOWED_ADDRESS}:9/a.wav` },
      { url: `http://127.0.0.1:9/a.wav?token=${plain}` },
    ];
    for (const body of bodies) {
      for (const engine of ["synthetic", "openai"]) {
        const answer = await call("/api/v1/transcribe", { json: { ...body, engine }, headers });
        if (answer.status >= 500) broken.add(`${JSON.stringify(Object.keys(body))}: ${answer.status}`);
        if (answer.status !== 202) continue;
        const { job_id } = answer.json() as { job_id: string };
        await untilEnded(stage, job_id);
        for (const path of ["", "/transcript?partial=true", "/events"]) await call(`/api/v1/jobs/${job_id}${path}`);
        await call("/api/v1/admin/jobs?status=failed");
      }
    }
    await throughDoors(stage, secret);
    // A query is the caller's own mistake, and stays out of the log all the same.
    await call(`/api/v1/jobs?api_key=${stage.stack.key}`, { key: null });
    for (const path of ["/metrics", "/api/v1/keys", "/api/v1/admin/audit", "/api/v1/admin/api-keys", "/openapi.json"]) {
      await call(path);
    }
    await call("/api/v1/webhooks/test", { json: { url: `http://${ALLOWED_ADDRESS}:9/hook?token=${plain}` } });
    secrets.look("the log", withoutFirstLine(stage.stack.process.output()));
    for (const leak of secrets.leaks) broken.add(leak);
    return {
      count: secrets.looked,
      seen: `${secrets.secrets.size} secrets sought in ${secrets.looked - 1} answers and ${stage.stack.process.output().length >> 10} KiB of log`,
      broken: broken.list,
    };
  },
};

/** Keys of providers, credentials of receivers, passwords: taken, refused for something else, or in the wrong place. */
async function throughDoors(stage: Stage, secret: (what: string, text: string) => string): Promise<void> {
  const { call } = stage;
  const random = () => randomBytes(24).toString("hex");
  const provider = secret("a stored key of a provider", `sk-${random()}`);
  const header = secret("a receiver's header", random());
  const password = secret("a receiver's password", random());
  const own = secret("a password", random());
  const url = `http://${ALLOWED_ADDRESS}:9/a.wav`;
  const hook = `http://${ALLOWED_ADDRESS}:9/hook`;
  const callback = encodeURIComponent(hook.replace("//", `//me:${password}@`));
  const named = { webhook_auth_header_name: "x-theirs", webhook_auth_header_value: header };
  const asked: [string, Parameters<typeof call>[1]][] = [
    [
      "/api/v1/providers/openai",
      { method: "PUT", json: { api_key: provider, base_url: `http://${ALLOWED_ADDRESS}:9/v1` } },
    ],
    ["/api/v1/providers/openai", { method: "PUT", json: { api_key: provider, base_url: "http://127.0.0.1:9/v1" } }],
    ["/api/v1/providers/openai", { method: "PUT", json: { api_key: { key: provider }, unknown: provider } }],
    ["/api/v1/providers/openai", {}],
    ["/api/v1/transcribe", { json: { url, engine: "openai" }, headers: { "x-provider-key": provider } }],
    ["/api/v1/transcribe", { json: { url, engine: "openai", provider_key: provider } }],
    ["/assemblyai/v2/transcript", { json: { audio_url: url, webhook_url: hook, ...named } }],
    [
      "/assemblyai/v2/transcript",
      { json: { audio_url: url, webhook_url: hook, ...named, webhook_auth_header_name: "Host" } },
    ],
    ["/assemblyai/v2/transcript", { json: { audio_url: 1, webhook_url: hook, ...named } }],
    [`/deepgram/v1/listen?callback=${callback}`, { json: { url } }],
    [`/deepgram/v1/listen?callback=${callback}&diarize=perhaps`, { json: { url } }],
    ["/compat/notes/-/jobs", { method: "POST", body: "x", headers: { "x-openai-api-key": provider } }],
    ["/api/v1/auth/register", { key: null, json: { email: "x", password: own } }],
    ["/api/v1/auth/login", { key: null, json: { email: "nobody@example.com", password: own } }],
    ["/compat/saas/auth/login", { key: null, json: { email: "nobody@example.com", password: own } }],
    ["/api/v1/auth/login", { key: null, json: { email: "nobody@example.com", password: [own] } }],
  ];
  for (const [path, init] of asked) {
    const { status, ...answer } = await call(path, init);
    if (status >= 500) throw new Error(`${path}: ${status} ${answer.text}`);
    const { job_id, id, request_id } = (status < 300 && answer.text !== "" ? answer.json() : {}) as Record<
      string,
      string
    >;
    const made = job_id ?? id ?? request_id;
    if (made === undefined) continue;
    await untilEnded(stage, made);
    for (const part of ["", "/events"]) await call(`/api/v1/jobs/${made}${part}`);
    await call(`/api/v1/webhooks/deliveries?job_id=${made}`);
  }
  await call("/api/v1/providers/openai", { method: "DELETE" });
}

/** The line by which `scribe up` hands over its key exists for that. */
function withoutFirstLine(output: string): string {
  return output.replace(/^\{"ready":true.*$/m, "");
}
