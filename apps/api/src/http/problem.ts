import { STATUS_CODES } from "node:http";
import { REQUEST_ERRORS, type RequestError, type RequestErrorCode } from "@scribe/domain";
import { z } from "zod";
import { answerSchema } from "../openapi/schemas.ts";

/** RFC 9457, with a code to branch on, and the fields that were wrong. */
export const problemSchema = answerSchema(
  "Problem",
  z.object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.enum(Object.keys(REQUEST_ERRORS) as [RequestErrorCode, ...RequestErrorCode[]]),
    request_id: z.string(),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: "The fields, parameters or headers that were wrong" }),
  }),
);

export type Problem = z.output<typeof problemSchema>;

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** `about:blank` (RFC 9457, section 4.2.1): the title is the status', and `code` tells the rest. */
export function toProblem(error: RequestError, requestId: string): Problem {
  return {
    type: "about:blank",
    title: STATUS_CODES[error.status] ?? "Error",
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.errors ? { errors: error.errors } : {}),
  };
}
