import { type JobRow, tenantJobs } from "@scribe/database";
import { isUuid, type Transcript } from "@scribe/domain";
import type { Api } from "../../api.ts";
import type { Caller } from "../middleware/authenticate.ts";
import { notFound } from "../middleware/render-problem.ts";

/**
 * A job by the id that a service's caller names, which the service calls so: `job`, `transcript`.
 *
 * @throws RequestError `not_found`, in the same words for what is no id and for what is somebody else's
 */
export async function findJob(
  { db }: Api,
  { tenantId }: Caller,
  { id = "", what = "job" }: { id?: string | undefined; what?: string },
): Promise<JobRow> {
  const job = isUuid(id) ? await tenantJobs(db, tenantId).get(id.toLowerCase()) : null;
  if (job === null) throw notFound(what);
  return job;
}

/** A job's transcript; null where it is not there, or not yet. */
export async function readResult({ db }: Api, { tenantId }: Caller, job: JobRow): Promise<Transcript | null> {
  return job.status === "completed" ? await tenantJobs(db, tenantId).transcript(job.id) : null;
}
