import type { Logger } from "@scribe/telemetry";

export interface EcsProtectionOptions {
  /** `ECS_AGENT_URI`, which ECS gives to every container. */
  agentUrl: string;
  log: Logger;
  expiresInMinutes?: number;
  /** Of the next request while jobs run; well before the protection expires. */
  renewMs?: number;
  /** Wait before the next try after the agent refused or did not answer. */
  retryMs?: number;
}

export interface EcsProtection {
  /** How many jobs the worker holds now. */
  hold(jobs: number): void;
  /** Takes the protection away, within a time limit. */
  close(): Promise<void>;
}

const EXPIRES_IN_MINUTES = 10;
const RENEW_MS = 5 * 60_000;
const RETRY_MS = 15_000;
const ANSWER_LIMIT_MS = 4_000;

/**
 * Keeps ECS from ending this task by a scale-in while it works: protected in steps of ten minutes that are renewed while
 * jobs run, so that a worker that dies protects nothing for long. Requests come one after the other, for the last one
 * decides. A refusal is logged and tried again; work goes on, for a job that is cut off is handed back.
 */
export function startEcsProtection(options: EcsProtectionOptions): EcsProtection {
  const { agentUrl, log, renewMs = RENEW_MS, retryMs = RETRY_MS } = options;
  const url = `${agentUrl.replace(/\/$/, "")}/task-protection/v1/state`;
  const expiresInMinutes = options.expiresInMinutes ?? EXPIRES_IN_MINUTES;
  let wanted = false;
  let told = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;
  let closed = false;

  function tell(): void {
    if (running !== null) return;
    clearTimeout(timer);
    const enabled = wanted;
    running = send(enabled)
      .then(
        () => {
          told = enabled;
          return renewMs;
        },
        (err: unknown) => {
          log.warn({ err, enabled }, "ECS did not take the task's protection");
          return retryMs;
        },
      )
      .then((waitMs) => {
        running = null;
        if (closed) return;
        if (waitMs === renewMs && wanted !== enabled) tell();
        else if (wanted || told) timer = setTimeout(tell, waitMs).unref();
      });
  }

  async function send(enabled: boolean): Promise<void> {
    const body = enabled
      ? { ProtectionEnabled: true, ExpiresInMinutes: expiresInMinutes }
      : { ProtectionEnabled: false };
    const response = await fetch(url, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    const answer = (await response.json().catch(() => ({}))) as Answer;
    const refusal = answer.error?.Message ?? answer.failure?.Reason;
    if (!response.ok || refusal) throw new Error(`${response.status} ${refusal ?? "without a reason"}`);
  }

  return {
    hold(jobs) {
      if (closed || jobs > 0 === wanted) return;
      wanted = jobs > 0;
      tell();
    },
    async close() {
      closed = true;
      clearTimeout(timer);
      await running;
      if (told)
        await send(false).catch((err: unknown) => log.warn({ err }, "the task's protection runs out by itself"));
    },
  };
}

/** What the agent's task protection endpoint answers: the protection, or why it did not take it. */
interface Answer {
  protection?: { ProtectionEnabled: boolean; ExpirationDate?: string | null };
  failure?: { Reason?: string };
  error?: { Code?: string; Message?: string };
}
