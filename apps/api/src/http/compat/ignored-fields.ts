import type { Response } from "express";

/** Names as callers sent them are put into a header only where they are plain. */
const PLAIN = /^[\w.[\]-]{1,96}$/;
const MOST = 50;

/** Names in `X-Ignored-Fields` what came and is not carried out; nothing is ignored without a word. */
export function tellIgnored(response: Response, names: Iterable<string>): void {
  const told = [...new Set(names)].filter((name) => PLAIN.test(name)).slice(0, MOST);
  if (told.length > 0) response.setHeader("X-Ignored-Fields", told.join(", "));
}
