import { audit, type JobRow, tenantJobs } from "@scribe/database";
import type { Api } from "../api.ts";
import type { Caller } from "./middleware/authenticate.ts";
import { notFound } from "./middleware/render-problem.ts";

/**
 * Cancels a job: it is terminal when this returns, and its worker is told.
 *
 * @throws RequestError `not_found`
 */
export async function stopJob({ db, notifications, dispatcher, log }: Api, { tenantId }: Caller, id: string) {
  const result = await tenantJobs(db, tenantId).cancel(id);
  if (!result) throw notFound("job");
  if (result.outcome === "cancelled") {
    notifications.publishEvents(id);
    dispatcher.poke("webhooks");
    // The job has ended already; that the worker is told at once only frees its slot sooner than its next write would.
    await notifications.publishCancel(id).catch((error) => log.warn({ err: error, job: id }, "no worker was told"));
  }
  return result;
}

/**
 * Stops a live job, and gives it back as it is then; one that has ended is erased with all that came of it: null.
 *
 * @throws RequestError `not_found`
 */
export async function stopOrErase(
  api: Api,
  caller: Caller,
  id: string,
  address: string | undefined,
): Promise<JobRow | null> {
  const jobs = tenantJobs(api.db, caller.tenantId);
  const erase = () =>
    jobs.erase(id, async (keys) => {
      for (const key of keys) await api.storage.remove(key);
    });
  let erased = await erase();
  if (erased === "live") {
    const { outcome, job } = await stopJob(api, caller, id);
    if (outcome === "cancelled") return job;
    // It ended between the two: now it can be erased.
    erased = await erase();
  }
  if (erased !== "erased") throw notFound("job");
  const act = { tenantId: caller.tenantId, actor: caller.publicId, action: "job.erased", target: id, address };
  await audit(api.db, act);
  return null;
}
