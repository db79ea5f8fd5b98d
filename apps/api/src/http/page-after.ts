import { isUuid, RequestError } from "@scribe/domain";
import { z } from "zod";
import { queryInt } from "./query-types.ts";

const USUAL_PAGE = 50;

/** The query of lists whose ids are in the order of their pages. */
export const pageQuery = {
  limit: queryInt(1, 200).optional().meta({ description: "1 to 200; 50 where absent" }),
  cursor: z.string().max(64).optional().meta({ description: "`next_cursor` of the page before" }),
} as const;

export function readPage({ limit = USUAL_PAGE, cursor }: { limit?: number | undefined; cursor?: string | undefined }) {
  if (cursor !== undefined && !isUuid(cursor)) {
    throw new RequestError("invalid_request", "`cursor` is not one of ours.", {
      errors: [{ path: "cursor", message: "is not a `next_cursor` of an earlier answer" }],
    });
  }
  return { limit, cursor: cursor?.toLowerCase() };
}

/** Cuts a list that was asked for with one more than its limit. */
export function toPage<T extends { id: string }, V>(rows: readonly T[], limit: number, view: (row: T) => V) {
  const page = rows.slice(0, limit);
  return { data: page.map(view), next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}
