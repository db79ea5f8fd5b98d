import { WrongUsage } from "../exit.ts";

const UNIT_MS = { h: 3_600_000, d: 86_400_000 } as const;

/** `12h`, `90d` from `now`, or a date or time as ISO 8601 writes it. What is past is wrong usage. */
export function readExpiry(text: string, now: Date): Date {
  const span = /^(\d{1,6})([hd])$/.exec(text);
  const time = span
    ? new Date(now.getTime() + Number(span[1]) * UNIT_MS[span[2] as keyof typeof UNIT_MS])
    : new Date(/^\d{4}-\d\d-\d\d(T|$)/.test(text) ? text : Number.NaN);
  if (Number.isNaN(time.getTime())) throw new WrongUsage(`"${text}" is no time: write 12h, 90d or 2027-01-31.`);
  if (time <= now) throw new WrongUsage(`${time.toISOString()} is past.`);
  return time;
}
