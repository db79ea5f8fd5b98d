import { z } from "zod";
import { isUnsafeText } from "./safe-text.ts";

/** What a person may type: no NUL, no lone surrogate, a length that has a reason at each place. */
export const safeText = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .refine((text) => !isUnsafeText(text), "must not contain NUL or lone surrogates");

/** A signed S3 URL with a session token runs to about 2,000 characters. */
export const MAX_URL_LENGTH = 4096;
/** An address of a caller, by its form; whether it may be reached is another matter. */
export const httpUrl = safeText(MAX_URL_LENGTH).refine(
  (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
  "must be an http or https URL",
);
