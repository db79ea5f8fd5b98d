import { type FieldProblem, RequestError } from "@scribe/domain";
import type { z } from "zod";

/** Names that callers make up are shown back, to a length. */
const MAX_SHOWN = 200;

/** What zod found, as one problem that names each field. `noun` is what the caller would call one of them. */
export function invalidInput(error: z.ZodError, noun: "field" | "parameter"): RequestError {
  const errors = error.issues.flatMap((issue) => toProblems(issue, noun)).slice(0, 50);
  const [first] = errors;
  const what = first === undefined ? "is wrong" : first.message;
  const detail = first === undefined || first.path === "" ? `The input ${what}.` : `\`${first.path}\` ${what}.`;
  return new RequestError("invalid_request", detail, { errors });
}

function toProblems(issue: z.core.$ZodIssue, noun: string): FieldProblem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({ path: pathOf([...issue.path, key]), message: `is not a known ${noun}` }));
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    const kinds = issue.errors.flatMap((branch) => branch.slice(0, 1)).map(messageOf);
    return [{ path: pathOf(issue.path), message: [...new Set(kinds)].join(", or ") }];
  }
  return [{ path: pathOf(issue.path), message: messageOf(issue) }];
}

/** Continues a sentence that begins with the field's name. */
function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${article(issue.expected)}`;
    case "invalid_value":
      return `must be one of: ${issue.values.join(", ")}`;
    case "too_big":
      return `must be at most ${issue.maximum}${unitOf(issue.origin)}`;
    case "too_small":
      return `must be at least ${issue.minimum}${unitOf(issue.origin)}`;
    case "invalid_format":
      return issue.format === "datetime" ? "must be a time as ISO 8601 has it, with its zone" : issue.message;
    default:
      return issue.message;
  }
}

function unitOf(origin: string): string {
  if (origin === "string") return " characters long";
  return origin === "array" ? " items long" : "";
}

function article(type: string): string {
  return /^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`;
}

function pathOf(path: readonly PropertyKey[]): string {
  return path.map(String).join(".").slice(0, MAX_SHOWN);
}
