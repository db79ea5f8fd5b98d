import { execFileSync } from "node:child_process";
import { statSync } from "node:fs";

/** The numeric user and group that Postgres runs as, where that is another than our own. */
export type Account = { uid: number; gid: number };

/**
 * Postgres refuses to run as root. As root we drop to whoever owns the cluster already, else to `postgres`, else to
 * `nobody`; no account is made, since nothing here changes a user's system. initdb looks its user up by name, so a
 * number without an account would not do. Returns null where we are an ordinary user: Postgres then runs as we do.
 */
export function chooseAccount(clusterDir: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const owner = statSync(clusterDir, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  for (const name of ["postgres", "nobody"]) {
    const account = lookUp(name);
    if (account) return account;
  }
  throw new Error(
    "Postgres does not run as root, and this machine has neither a user `postgres` nor `nobody` to drop to. " +
      "Run as an ordinary user, or set DATABASE_URL to a server of your own.",
  );
}

function lookUp(name: string): Account | null {
  try {
    const ask = (flag: string) => Number(execFileSync("id", [flag, name], { stdio: ["ignore", "pipe", "ignore"] }));
    return { uid: ask("-u"), gid: ask("-g") };
  } catch {
    return null;
  }
}
