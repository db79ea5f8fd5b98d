import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { makeWorkerId, openWorkFolder } from "../src/work-folder.ts";
import { openWorkerBox } from "./worker-box.ts";

let data: string;
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), "scribe-work-"));
});
afterEach(() => rm(data, { recursive: true, force: true }));

const LONG_AGO = new Date(Date.now() - 3_600_000);

async function leaveFolder(name: string, touched = new Date()): Promise<void> {
  const path = join(data, "tmp", name);
  await mkdir(join(path, "job"), { recursive: true });
  await writeFile(join(path, "job", "audio.pcm"), "x");
  await utimes(path, touched, touched);
}

test("a worker sweeps away what dead workers left, and nothing of the living", async () => {
  const { pid: deadPid } = spawnSync(process.execPath, ["--version"]);
  await leaveFolder(`${hostname()}~${deadPid}~dead`);
  await leaveFolder(`${hostname()}~${process.pid}~before-a-restart`);
  await leaveFolder(`${hostname()}~${process.ppid}~alive`);
  await leaveFolder("another-host~1~alive");
  await leaveFolder("another-host~2~dead", LONG_AGO);
  const own = makeWorkerId("own");
  await openWorkFolder(data, own);
  expect((await readdir(join(data, "tmp"))).sort()).toEqual(
    ["another-host~1~alive", `${hostname()}~${process.ppid}~alive`, own].sort(),
  );
});

test("a job's folder is its own, and gone with it", async () => {
  const folder = await openWorkFolder(data, makeWorkerId("own"));
  const [one, two] = [await folder.makeJobFolder("job"), await folder.makeJobFolder("job")];
  expect(one).not.toBe(two);
  await writeFile(join(one, "source"), "x");
  await folder.removeJobFolder(one);
  await folder.removeJobFolder(one);
  await folder.touch();
  await folder.close();
  expect(await readdir(join(data, "tmp"))).toEqual([]);
});

test("a worker whose disk is full takes no job, and the job waits uncharged", async () => {
  const box = await openWorkerBox();
  try {
    const { id } = await box.create({ audio: false, windows: 1 });
    const workFolder = await openWorkFolder(box.folder, "full~1~x", { leastFreeBytes: Number.POSITIVE_INFINITY });
    await expect(box.work(id, { ...box.parts, workFolder })).rejects.toThrow("disk of the worker is full");
    expect(await box.row(id)).toMatchObject({ status: "pending", attempts: 0, leaseEpoch: 0 });
    expect(await box.work(id)).toBe("completed");
  } finally {
    await box.close();
  }
});

test("a worker whose clock is ahead takes nobody for dead", async () => {
  const name = `other-host~${process.pid}~living`;
  await leaveFolder(name);
  const now = Date.now;
  Date.now = () => now() + 3_600_000;
  try {
    await (await openWorkFolder(data, makeWorkerId("ahead"))).touch();
  } finally {
    Date.now = now;
  }
  expect(await readdir(join(data, "tmp"))).toContain(name);
});
