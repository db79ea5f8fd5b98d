import { randomBytes } from "node:crypto";
import { type Attack, Broken } from "../attack.ts";
import { ALLOWED_ADDRESS, untilEnded } from "../stage/open-stage.ts";

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

/** The line by which `scribe up` hands over its key exists for that. */
function withoutFirstLine(output: string): string {
  return output.replace(/^\{"ready":true.*$/m, "");
}
