import { isIPv6 } from "node:net";
import { distanceBefore } from "./context.ts";
import type { Entity } from "./entity.ts";
import type { Unit } from "./units.ts";

/** What else has four numbers with dots between them. */
const VERSIONED = new Set([
  "version",
  "v",
  "release",
  "section",
  "chapter",
  "firmware",
  "paragraph",
  "build",
  "clause",
]);

export function findIps(text: string, units: readonly Unit[]): Entity[] {
  // The second form may end in the first.
  return [...findVersion6(text), ...findVersion4(units)];
}

function findVersion4(units: readonly Unit[]): Entity[] {
  const found: Entity[] = [];
  for (let at = 0; at < units.length; at++) {
    if (units[at]!.kind !== "digits") continue;
    const octets: string[] = [];
    let [next, last] = [at, at];
    for (;;) {
      let digits = "";
      for (; units[next]?.kind === "digits" && (digits === "" || units[next]!.spoken); next++)
        digits += units[next]!.value;
      if (digits === "") break;
      octets.push(digits);
      last = next - 1;
      if (!isDot(units, next)) break;
      next += 1;
    }
    const whole =
      octets.length === 4 && octets.every((octet) => /^(0|[1-9][0-9]{0,2})$/.test(octet) && Number(octet) < 256);
    const apart = !isDot(units, at - 1) && distanceBefore(units, at, VERSIONED, 3) > 3;
    if (whole && apart) found.push({ type: "ip", start: units[at]!.start, end: units[last]!.end });
    at = Math.max(at, last);
  }
  return found;
}

function isDot(units: readonly Unit[], at: number): boolean {
  const unit = units[at];
  if (unit?.kind !== "sign" || unit.value !== ".") return false;
  return unit.spoken || (!unit.gap && units[at + 1]?.gap === false);
}

const GROUPED = /[0-9A-Fa-f:]+(?:\.[0-9]{1,3}){0,3}/g;

function findVersion6(text: string): Entity[] {
  return [...text.matchAll(GROUPED)].flatMap((match) => {
    const written = match[0].replace(/(?<!:):$/, "");
    const [start, end] = [match.index, match.index + written.length];
    const apart = !/[\p{L}\p{N}]/u.test(text.slice(Math.max(0, start - 1), start) + text.slice(end, end + 1));
    return written.length >= 5 && apart && isIPv6(written) ? [{ type: "ip" as const, start, end }] : [];
  });
}
