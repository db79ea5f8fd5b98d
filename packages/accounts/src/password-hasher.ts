// By its whole name: older Node has no argon2 to import, and everything but accounts works there.
import crypto, { randomBytes, timingSafeEqual } from "node:crypto";
import { availableParallelism } from "node:os";

/** OWASP's Password Storage Cheat Sheet for argon2id: 19 MiB, two passes, one lane. `memory` is in KiB. */
const COST = { memory: 19_456, passes: 2, parallelism: 1 } as const;
const SALT_BYTES = 16;
const TAG_BYTES = 32;
const FORM = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Hashing takes a thread of libuv's four, which files and names share, and half the processors at most. */
const AT_ONCE = Math.max(1, Math.min(2, Math.floor(availableParallelism() / 2)));
/** Each waits for those before it: this many are a few seconds. */
const MAX_WAITING = 64;

/** So many wait already that a further one would wait for too long. */
export class HasherBusy extends Error {
  override readonly name = "HasherBusy";
}

export interface PasswordHasher {
  /** In PHC form: `$argon2id$v=19$m=…,t=…,p=…$salt$tag`. @throws HasherBusy */
  hash(password: string): Promise<string>;
  /**
   * Whether the password is the one that `stored` was made of; `stored` null, for an account that there is not, takes as
   * long and is false. `outdated`: it was made at another cost, and should be made anew. @throws HasherBusy
   */
  verify(password: string, stored: string | null): Promise<{ right: boolean; outdated: boolean }>;
}

interface Cost {
  memory: number;
  passes: number;
  parallelism: number;
}

/**
 * argon2id (RFC 9106), Node's own, off the event loop; `atOnce` of them run, the others wait in line, and beyond
 * `maxWaiting` they are refused: passwords are hashed for strangers, each at 19 MiB and tens of milliseconds.
 *
 * @throws Error where Node has no argon2 (before 24.7)
 */
export function createPasswordHasher({ atOnce = AT_ONCE, maxWaiting = MAX_WAITING } = {}): PasswordHasher {
  if (typeof crypto.argon2 !== "function") throw new Error("Accounts need Node 24.7 or newer, which brings argon2");
  const take = createLine(atOnce, maxWaiting);
  const nobody = phc(COST, randomBytes(SALT_BYTES), randomBytes(TAG_BYTES));

  return {
    async hash(password) {
      const salt = randomBytes(SALT_BYTES);
      return phc(COST, salt, await take(() => derive(password, salt, COST, TAG_BYTES)));
    },
    async verify(password, stored) {
      const { cost, salt, tag } = parse(stored ?? nobody);
      const got = await take(() => derive(password, salt, cost, tag.length));
      const right = timingSafeEqual(got, tag) && stored !== null;
      const outdated =
        cost.memory !== COST.memory || cost.passes !== COST.passes || cost.parallelism !== COST.parallelism;
      return { right, outdated };
    },
  };
}

/** Two keyboards may write one character differently; NFKC makes it one (NIST SP 800-63B, section 5.1.1.2). */
function derive(
  password: string,
  salt: Buffer,
  { memory, passes, parallelism }: Cost,
  tagLength: number,
): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const message = Buffer.from(password.normalize("NFKC"), "utf8");
  crypto.argon2("argon2id", { message, nonce: salt, parallelism, tagLength, memory, passes }, (error, tag) => {
    if (error) reject(error);
    else resolve(tag);
  });
  return promise;
}

function phc({ memory, passes, parallelism }: Cost, salt: Buffer, tag: Buffer): string {
  const text = (bytes: Buffer) => bytes.toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(salt)}$${text(tag)}`;
}

function parse(stored: string): { cost: Cost; salt: Buffer; tag: Buffer } {
  const match = FORM.exec(stored);
  if (!match) throw new Error("A stored password hash has an unknown form");
  const [, memory, passes, parallelism, salt = "", tag = ""] = match;
  return {
    cost: { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
    salt: Buffer.from(salt, "base64"),
    tag: Buffer.from(tag, "base64"),
  };
}

function createLine(atOnce: number, maxWaiting: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= atOnce) {
      if (waiting.length >= maxWaiting) throw new HasherBusy("Too many passwords wait to be hashed");
      // Whoever ends hands the place on, so nobody slips in between.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else {
      running += 1;
    }
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
