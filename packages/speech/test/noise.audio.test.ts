import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { type SpeechRuntime, startSpeechRuntime } from "../src/index.ts";
import { collect } from "./build/collect.ts";
import { NANO } from "./build/samples.ts";

let folder: string;
let runtime: SpeechRuntime;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "scribe-noise-"));
  runtime = startSpeechRuntime({ executionProviders: ["cpu"], intraOpThreads: 1 });
});
afterAll(async () => {
  await runtime.close();
  await rm(folder, { recursive: true });
});

test.each([{}, { mode: "sequential" } as const])(
  "of rain, dogs, a crying child, a ticking clock and the like nothing is made up (%j)",
  async (options) => {
    const noises = join(process.env.SCRIBE_TEST_AUDIO!, "noise");
    const files = (await readdir(noises)).filter((name) => name.endsWith(".ogg"));
    expect(files.length).toBeGreaterThan(0);
    const said: Record<string, string> = {};
    for (const file of files) {
      const pcmPath = join(folder, `${file}.pcm`);
      const decode = ["-v", "error", "-i", join(noises, file), "-ac", "1", "-ar", "16000", "-f", "s16le", "-"];
      await writeFile(pcmPath, execFileSync("ffmpeg", decode));
      const { text } = await collect(
        runtime.transcribe({ id: file, model: NANO, pcmPath, options }, new AbortController().signal),
      );
      if (text !== "") said[file] = text;
    }
    expect(said).toEqual({});
  },
  120_000,
);
