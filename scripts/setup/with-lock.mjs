import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { state } from "./places.mjs";
import { Complaint, say } from "./say.mjs";

const LONGEST_WAIT_MS = 15 * 60_000;

/** Does `work` while no other set-up of this clone runs; waits for one that does. One that was killed holds nothing. */
export async function withLock(work) {
  try {
    mkdirSync(state, { recursive: true });
  } catch (error) {
    throw new Complaint(`${state} cannot be made (${error.code}): does this folder belong to another user?`);
  }
  const file = join(state, "setup.lock");
  const deadline = Date.now() + LONGEST_WAIT_MS;
  for (let told = false; !take(file); ) {
    const holder = readHolder(file);
    if (!told) say(`Another set-up runs here${holder ? ` (process ${holder})` : ""}: waiting for it.`);
    told = true;
    if (Date.now() > deadline) throw new Complaint(`The other set-up does not end. If none runs, remove ${file}.`);
    await sleep(200);
  }
  const release = () => rmSync(file, { force: true });
  process.once("exit", release);
  try {
    return await work();
  } finally {
    process.removeListener("exit", release);
    release();
  }
}

function take(file) {
  const mine = `${file}.${process.pid}`;
  try {
    writeFileSync(mine, String(process.pid));
  } catch (error) {
    throw new Complaint(`${file} cannot be written (${error.code}): does this folder belong to another user?`);
  }
  try {
    linkSync(mine, file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
    const holder = readHolder(file);
    if (holder && isAlive(holder)) return false;
    renameSync(mine, file);
    // Where two take over at once, the last to rename has it.
    return readHolder(file) === process.pid;
  } finally {
    rmSync(mine, { force: true });
  }
}

function readHolder(file) {
  try {
    return Number(readFileSync(file, "utf8")) || null;
  } catch {
    return null;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
