import { expect } from "@jest/globals";
import { type Problem, problemSchema } from "../src/http/problem.ts";

/** Asserts that an answer is a problem as the contract has it, and returns it. */
export async function expectProblem(response: Response, status: number, code: Problem["code"]): Promise<Problem> {
  const text = await response.text();
  expect({ status: response.status, text }).toEqual({ status, text: expect.stringContaining(`"code":"${code}"`) });
  expect(response.headers.get("content-type")).toBe("application/problem+json; charset=utf-8");
  const problem = problemSchema.strict().parse(JSON.parse(text));
  expect(problem.status).toBe(status);
  expect(problem.request_id).toBe(response.headers.get("x-request-id"));
  // Nothing of the inside ever leaves.
  expect(text).not.toMatch(/\bat .*:\d+:\d+|node_modules|\/work\/|\/src\/|SELECT |INSERT |postgres:/);
  return problem;
}

export function paths(problem: Problem): string[] {
  return (problem.errors ?? []).map(({ path }) => path);
}
