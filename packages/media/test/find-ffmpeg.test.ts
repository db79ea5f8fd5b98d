import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { decodeToPcm, findFfmpeg } from "../src/index.ts";
import { wav } from "./make-media.ts";

describe("finding ffmpeg", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "scribe-find-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function fake(name: string, libavformat: number) {
    for (const program of ["ffmpeg", "ffprobe"]) {
      const path = join(folder, name, program);
      await rm(path, { force: true });
      await mkdir(join(folder, name), { recursive: true });
      await writeFile(
        path,
        `#!/bin/sh\necho "${program} version N-1-gabc Copyright"\necho "libavformat    ${libavformat}. 1.100 / x"\n`,
      );
      await chmod(path, 0o755);
    }
    return join(folder, name);
  }

  test("takes the system's where it is new enough, also a build without a number", async () => {
    expect(await findFfmpeg({ production: true, searchPath: await fake("new", 59) })).toMatchObject({
      source: "system",
      version: "N-1-gabc",
      ffmpeg: join(folder, "new", "ffmpeg"),
    });
  });

  test("refuses an old one, and none, in production, and says what to do", async () => {
    const searchPath = await fake("old", 58);
    await expect(findFfmpeg({ production: true, searchPath })).rejects.toThrow(/too old: install ffmpeg 5 or newer/);
    await expect(findFfmpeg({ production: true, searchPath: "" })).rejects.toThrow(/not found: install ffmpeg/);
  });

  test("for trying out, takes the bundled one with a warning; it decodes in the same cage", async () => {
    const warnings: string[] = [];
    const programs = await findFfmpeg({ production: false, searchPath: "", warn: (line) => warnings.push(line) });
    expect(programs.source).toBe("bundled");
    expect(warnings).toEqual([expect.stringContaining("for trying out only")]);
    const input = join(folder, "input.wav");
    await writeFile(input, wav(new Uint8Array(32_000)));
    const result = await decodeToPcm(input, join(folder, "out.pcm"), { programs, maxSeconds: 10 });
    expect(result).toMatchObject({ samples: 16_000, warnings: [] });
  });
});
