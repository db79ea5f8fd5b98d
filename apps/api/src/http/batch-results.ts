import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type BatchResult, type RefusedLine, tenantBatches } from "@scribe/database";
import { z } from "zod";
import { defineRoute } from "../openapi/route.ts";
import { answerSchema } from "../openapi/schemas.ts";
import { jobErrorSchema, transcriptSchema } from "./job-view.ts";
import { idFrom, notFound } from "./middleware/render-problem.ts";

const resultLine = answerSchema(
  "BatchResultLine",
  z.object({
    line: z.int().meta({ description: "Of the manifest, from 1" }),
    status: z.enum(["completed", "failed", "cancelled", "refused"]),
    job_id: z.uuid().optional(),
    recording_id: z.string().nullable().optional(),
    metadata: z.record(z.string(), z.unknown()).optional(),
    result: transcriptSchema.optional(),
    error: jobErrorSchema.optional(),
    errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
  }),
);

const PIECE_BYTES = 64 * 1024;

type ResultLine = z.output<typeof resultLine>;

export const getBatchResults = defineRoute({
  method: "get",
  path: "/api/v1/batches/{id}/results",
  operationId: "getBatchResults",
  summary: "What came of a batch, a line of JSON for each line of the manifest",
  description: "In the manifest's order. While the batch runs: of the jobs that have ended by then.",
  tag: "Batches",
  scope: "read",
  query: z.strictObject({}),
  answers: { 200: { description: "Lines of JSON", content: { "application/x-ndjson": resultLine } } },
  handle:
    ({ db, waits: { slowReaderMs } }) =>
    async ({ request, response, caller, params }) => {
      const batches = tenantBatches(db, caller.tenantId);
      const batch = await batches.get(idFrom(params, "batch"));
      if (!batch) throw notFound("batch");
      response.setHeader("Content-Type", "application/x-ndjson; charset=utf-8");
      response.setHeader("Cache-Control", "no-store");
      if (request.method === "HEAD") {
        response.end();
        return;
      }
      const stuck = new AbortController();
      let patience: NodeJS.Timeout | undefined;
      const setPatience = (waits: boolean) => {
        clearTimeout(patience);
        if (waits) patience = setTimeout(() => stuck.abort(), slowReaderMs);
      };
      const lines = inOrder(batches.results(batch.id), batch.refused);
      const pieces = Readable.from(writePieces(lines, setPatience), { objectMode: true, highWaterMark: 1 });
      try {
        // A slow reader makes the reading from the database slow: what waits is a few lines. One that takes nothing is cut.
        await pipeline(pieces, response, { signal: stuck.signal });
      } catch (error) {
        // Whoever asked has gone; to anything else there is no answer left but to break off.
        if (!isGone(error)) throw error;
      } finally {
        clearTimeout(patience);
      }
    },
});

/** Results and refused lines, merged by their number. */
async function* inOrder(
  results: AsyncIterable<BatchResult>,
  refused: readonly RefusedLine[],
): AsyncGenerator<ResultLine> {
  let next = 0;
  for await (const result of results) {
    while (next < refused.length && refused[next]!.line < result.line) yield toRefusedLine(refused[next++]!);
    yield toResultLine(result);
  }
  for (const line of refused.slice(next)) yield toRefusedLine(line);
}

/**
 * A long line is taken in pieces, so that who takes it slowly is told from who takes nothing. Patience is for what is
 * given out: the database's time is not the reader's.
 */
async function* writePieces(
  lines: AsyncIterable<ResultLine>,
  setPatience: (waits: boolean) => void,
): AsyncGenerator<Buffer> {
  for await (const line of lines) {
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      setPatience(true);
      yield bytes.subarray(at, at + PIECE_BYTES);
    }
    setPatience(false);
  }
  setPatience(true);
}

function toRefusedLine({ line, errors }: RefusedLine): ResultLine {
  return { line, status: "refused", errors };
}

function toResultLine({ line, jobId, recordingId, metadata, status, result, error }: BatchResult): ResultLine {
  return {
    line,
    status: status as ResultLine["status"],
    job_id: jobId,
    recording_id: recordingId,
    metadata,
    ...(result === null ? {} : { result }),
    ...(error === null ? {} : { error }),
  };
}

function isGone(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ERR_STREAM_PREMATURE_CLOSE" || code === "ABORT_ERR";
}
