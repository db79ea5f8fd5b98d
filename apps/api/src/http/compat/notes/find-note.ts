import { type JobRow, tenantJobs } from "@scribe/database";
import type { Api } from "../../../api.ts";
import type { Caller } from "../../middleware/authenticate.ts";
import { notFound } from "../../middleware/render-problem.ts";

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;
/** A job that was tried again has the same id here: the latest counts. Others may use such an id for recordings. */
const MOST = 100;

/**
 * The job that this service's callers know by a UUID of version 4: it is the recording's id of ours. One whose time is
 * over is gone, though it may be erased a little later.
 *
 * @throws RequestError `not_found`, in the same words for what has another service's form and for what is somebody else's
 */
export async function findNote({ db }: Api, { tenantId }: Caller, params: Record<string, string>): Promise<JobRow> {
  const id = params.id ?? "";
  if (!UUID_V4.test(id)) throw notFound("job");
  const jobs = await tenantJobs(db, tenantId).list({ recordingId: id.toLowerCase(), limit: MOST });
  const job = jobs.find(({ frontDoor }) => frontDoor?.door === "notes");
  if (job === undefined || (job.eraseAt !== null && job.eraseAt.getTime() <= Date.now())) throw notFound("job");
  return job;
}
