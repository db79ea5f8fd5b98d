import { describe, expect, test } from "@jest/globals";
import { isJobErrorCode, JOB_ERRORS, JobError, type JobErrorCode, RequestError, toJobError } from "../src/index.ts";

describe("what a thrown thing means for a job", () => {
  test("a job error stays what it is", () => {
    const error = new JobError("audio_too_long", "Too long.");
    expect(toJobError(error)).toBe(error);
    expect(error.view()).toEqual({ code: "audio_too_long", message: "Too long.", retryable: false });
  });

  test("an error with a code of the catalogue keeps code, message and cause", () => {
    const thrown = Object.assign(new Error("No audio in it."), { code: "no_audio_stream" });
    const error = toJobError(thrown);
    expect(error.view()).toEqual({ code: "no_audio_stream", message: "No audio in it.", retryable: false });
    expect(error.cause).toBe(thrown);
  });

  test("whoever throws may know better whether a retry helps", () => {
    const gone = Object.assign(new Error("404"), { code: "audio_fetch_failed", retryable: false });
    expect(toJobError(gone).retryable).toBe(false);
    expect(new JobError("audio_fetch_failed", "x", { retryable: false }).retryable).toBe(false);
    const odd = Object.assign(new Error("x"), { code: "timeout", retryable: "no" });
    expect(toJobError(odd).retryable).toBe(true);
  });

  test.each([
    ["an error of the system", Object.assign(new Error("ENOENT: /etc/secret"), { code: "ENOENT" })],
    ["a code that every object has", Object.assign(new Error("/etc/secret"), { code: "constructor" })],
    ["an abort", new DOMException("/etc/secret", "AbortError")],
    ["a string", "/etc/secret"],
    ["nothing", undefined],
  ])("%s is internal, and its message is not shown", (_, thrown) => {
    const error = toJobError(thrown);
    expect(error).toMatchObject({ code: "internal", retryable: true, cause: thrown });
    expect(error.message).not.toContain("secret");
  });

  test("every code of the catalogue is one, and says whether a retry helps", () => {
    for (const code of Object.keys(JOB_ERRORS) as JobErrorCode[]) {
      expect(isJobErrorCode(code)).toBe(true);
      expect(new JobError(code, "x").retryable).toBe(JOB_ERRORS[code]);
    }
    for (const other of ["", "nope", "__proto__", "toString", 5, null]) expect(isJobErrorCode(other)).toBe(false);
  });
});

test("a request error has its code's status, or one of its own", () => {
  expect(new RequestError("not_found", "x")).toMatchObject({ status: 404, headers: {}, errors: undefined });
  const error = new RequestError("invalid_request", "x", { status: 405, headers: { Allow: "GET" } });
  expect(error).toMatchObject({ code: "invalid_request", status: 405, headers: { Allow: "GET" } });
});
