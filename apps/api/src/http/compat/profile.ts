import type { Response } from "express";
import type { Caller } from "../middleware/authenticate.ts";
import { tellIgnored } from "./ignored-fields.ts";
import { legacyProfile } from "./legacy/legacy-profile.ts";

/** What our own routes say and hear when their caller knows an older API of the same paths. */
export interface Profile {
  /** What came, in today's words, and the names of what is not carried out. */
  readInput(operation: string, input: Record<string, unknown>): { input: Record<string, unknown>; ignored: string[] };
  /** An answer as the older API gave it. `body` is null where there was none. */
  answer(operation: string, status: number, body: unknown): { status: number; body: unknown };
}

const PROFILES: Readonly<Record<string, Profile>> = { legacy: legacyProfile };

export const PROFILE_NAMES = ["standard", "legacy"] as const;

/** The profile of the caller's key, or null where it knows today's API. */
export function profileOf(response: Response): Profile | null {
  const caller = response.locals.caller as Caller | undefined;
  return (caller && PROFILES[caller.profile]) ?? null;
}

/** The name of the route that a request has reached. */
export function operationOf(response: Response): string {
  return String(response.locals.operation ?? "");
}

/** A caller's input as our schemas know it; what an older API knew and ours does not is named in the answer. */
export function inTodaysWords(response: Response, input: unknown): unknown {
  const profile = profileOf(response);
  if (profile === null || input === null || typeof input !== "object" || Array.isArray(input)) return input;
  const read = profile.readInput(operationOf(response), input as Record<string, unknown>);
  tellIgnored(response, read.ignored);
  return read.input;
}
