import type { JobRow } from "@scribe/database";
import { JOB_STATUSES } from "@scribe/domain";
import { z } from "zod";
import type { Api } from "../api.ts";
import { answerSchema } from "../openapi/schemas.ts";

export const acceptedSchema = answerSchema(
  "AcceptedJob",
  z.object({
    job_id: z.uuid(),
    status: z.enum(JOB_STATUSES),
    created_at: z.iso.datetime(),
    message: z.string(),
    links: z.object({ self: z.string(), events: z.string(), transcript: z.string() }),
  }),
);

/** For the documents of the routes that make a job of audio. */
export const acceptedAnswers = {
  202: {
    description: "The job is accepted",
    schema: acceptedSchema,
    headers: { Location: "Where the job is", "Idempotency-Replayed": "`true` where this is an earlier answer" },
  },
} as const;

/** The answer to a job that is committed. Links are absolute where the operator said how clients reach us. */
export function accepted({ config }: Api, job: JobRow) {
  const self = `${(config.http.PUBLIC_URL ?? "").replace(/\/$/, "")}/api/v1/jobs/${job.id}`;
  const body: z.output<typeof acceptedSchema> = {
    job_id: job.id,
    status: job.status,
    created_at: job.createdAt.toISOString(),
    message:
      job.status === "completed"
        ? "The job is completed with the result of an earlier one."
        : "The job is accepted, and waits for a worker.",
    links: { self, events: `${self}/events`, transcript: `${self}/transcript` },
  };
  return { status: 202, body, headers: { Location: self } };
}

/** Wakes whoever has to do with a job that was just committed: one that had its result at once waits for no worker. */
export function pokeFor({ dispatcher }: Pick<Api, "dispatcher">, { status }: JobRow): void {
  for (const kind of status === "pending" ? (["transcription"] as const) : (["webhooks", "enhancement"] as const)) {
    dispatcher.poke(kind);
  }
}
