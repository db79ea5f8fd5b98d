import { waitFor } from "@scribe/testing";
import type { Verdict } from "./ledger.ts";
import type { Stage } from "./open-stage.ts";

const DELIVERY_LIMIT_MS = 60_000;

/** Each ended job's event must have come at least once, under one id and with one body, over all tries. */
export async function verifyDeliveries(
  stage: Stage,
  jobs: readonly { id: string; status: string }[],
  verdict: Verdict,
): Promise<void> {
  const ended = jobs.filter(({ status }) => status !== "pending" && status !== "processing");
  const ids = () => {
    const byJob = new Map<string, { ids: Set<string>; bodies: Set<string> }>();
    for (const request of stage.receiver.requests) {
      const { type, data } = request.json() as { type: string; data: { job_id: string } };
      if (type === "ping" || type === "job.started") continue;
      const told = byJob.get(data.job_id) ?? { ids: new Set(), bodies: new Set() };
      told.ids.add(String(request.headers["webhook-id"]));
      told.bodies.add(request.body.toString());
      byJob.set(data.job_id, told);
    }
    return byJob;
  };
  await waitFor(() => ended.every(({ id }) => ids().has(id)), { timeoutMs: DELIVERY_LIMIT_MS, everyMs: 500 }).catch(
    () => undefined,
  );
  const told = ids();
  for (const { id } of ended) {
    const delivery = told.get(id);
    if (!delivery) verdict.unexpected.push(`${id}: no webhook came`);
    else if (delivery.ids.size !== 1 || delivery.bodies.size !== 1) {
      verdict.duplicated += 1;
      verdict.unexpected.push(`${id}: ids ${[...delivery.ids]}, bodies ${[...delivery.bodies].join(" and ")}`);
    }
  }
}
