import { randomFillSync } from "node:crypto";

const random = Buffer.alloc(10);
let lastMs = 0;
let sequence = 0;

/**
 * A UUIDv7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then randomness. Ids made by one process rise
 * strictly: within a millisecond the 12 bits of `rand_a` count (method 1 of section 6.2).
 */
export function uuidV7(nowMs: number = Date.now()): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    sequence = randomFillSync(random).readUInt16BE(0) & 0x7ff;
  } else if (++sequence > 0xfff) {
    lastMs += 1;
    sequence = 0;
  }
  randomFillSync(random);
  const time = lastMs.toString(16).padStart(12, "0");
  const randA = (0x7000 | sequence).toString(16);
  random[2] = (random[2]! & 0x3f) | 0x80;
  const rest = random.toString("hex", 2, 10);
  return `${time.slice(0, 8)}-${time.slice(8)}-${randA}-${rest.slice(0, 4)}-${rest.slice(4)}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Whether a caller's string has the form of any UUID; what does not can name nothing of ours. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}
