import { describe, expect, test } from "@jest/globals";
import { createPasswordHasher, HasherBusy, passwordProblem } from "../src/index.ts";

const PASSWORD = "correct horse battery";

describe("a password's hash", () => {
  const hasher = createPasswordHasher();

  test("is argon2id at OWASP's cost, with a salt of its own, and known again", async () => {
    const [one, two] = await Promise.all([hasher.hash(PASSWORD), hasher.hash(PASSWORD)]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    expect(await hasher.verify(PASSWORD, one)).toEqual({ right: true, outdated: false });
    expect(await hasher.verify(`${PASSWORD}.`, one)).toMatchObject({ right: false });
  });

  test("of another implementation is read, and told to be outdated where its cost is another", async () => {
    // Of the reference implementation: echo -n password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32
    const stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    expect(await hasher.verify("password", stored)).toEqual({ right: true, outdated: true });
  });

  test("of nobody is never right, whatever is tried", async () => {
    expect(await hasher.verify("", null)).toMatchObject({ right: false });
    expect(await hasher.verify(PASSWORD, null)).toMatchObject({ right: false });
  });

  test("does not depend on how a keyboard composes characters, and does on what follows a NUL", async () => {
    const stored = await hasher.hash("pa\u0000ssw\u00f6rd");
    expect(await hasher.verify("pa\u0000sswo\u0308rd", stored)).toMatchObject({ right: true });
    expect(await hasher.verify("pa\u0000other", stored)).toMatchObject({ right: false });
  });

  test("in an unknown form is an error, not a wrong password", async () => {
    await expect(hasher.verify(PASSWORD, "$2b$10$abc")).rejects.toThrow("unknown form");
  });
});

test("hashing leaves the event loop free, runs so many at once, and refuses what would wait too long", async () => {
  const hasher = createPasswordHasher({ atOnce: 1, maxWaiting: 2 });
  const all = [1, 2, 3, 4].map(() => hasher.hash(PASSWORD));
  const settled = Promise.allSettled(all);
  let turns = 0;
  const timer = setInterval(() => {
    turns += 1;
  }, 5);
  const outcomes = await settled;
  clearInterval(timer);
  expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "fulfilled", "rejected"]);
  await expect(all[3]).rejects.toBeInstanceOf(HasherBusy);
  expect(turns).toBeGreaterThan(3);
  // The places are free again.
  await expect(hasher.hash(PASSWORD)).resolves.toContain("$argon2id$");
});

test.each([
  ["elevenchars", "must have 12 to 128 characters"],
  ["twelve chars", null],
  ["\u{1f407}".repeat(11), "must have 12 to 128 characters"],
  ["\u{1f407}".repeat(12), null],
  ["x".repeat(128), null],
  ["x".repeat(129), "must have 12 to 128 characters"],
  [" Ann@Example.com ", "must not be the e-mail address"],
])("%j as a password: %s", (password, problem) => {
  expect(passwordProblem(password, "ann@example.com")).toBe(problem);
});
