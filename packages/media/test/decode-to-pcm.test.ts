import { readFile, stat, symlink } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { type DecodeOptions, decodeToPcm, probeMedia } from "../src/index.ts";
import { type MediaBench, openMediaBench, wav } from "./make-media.ts";

const TONE = "-f lavfi -i sine=440:d=2";

describe("decoding", () => {
  let bench: MediaBench;
  beforeAll(async () => {
    bench = await openMediaBench();
  });
  afterAll(() => bench.dispose());
  afterEach(async () => expect(await bench.leftovers()).toEqual([]));

  const decode = (path: string, options: Partial<DecodeOptions> = {}) =>
    decodeToPcm(path, bench.path("out.pcm"), {
      programs: bench.programs,
      temporaryFolder: bench.temporaryFolder,
      maxSeconds: 3600,
      timeoutMs: 60_000,
      ...options,
    });
  const samplesOf = async () => {
    const pcm = await readFile(bench.path("out.pcm"));
    return new Int16Array(pcm.buffer, pcm.byteOffset, pcm.length / 2);
  };
  const noOutput = () => expect(stat(bench.path("out.pcm"))).rejects.toMatchObject({ code: "ENOENT" });

  test.each([
    ["16k.wav", `${TONE} -ar 16000`],
    ["8k.wav", `${TONE} -ar 8000 -c:a pcm_mulaw`],
    ["float.wav", `${TONE} -ar 96000 -c:a pcm_f32le`],
    ["a.mp3", TONE],
    ["a.flac", TONE],
    ["a.ogg", `${TONE} -c:a libvorbis`],
    ["a.opus", `${TONE} -c:a libopus`],
    ["a.m4a", TONE],
    ["a.aac", TONE],
    ["a.aiff", TONE],
    ["a.wma", TONE],
    ["a.caf", TONE],
    ["a.au", TONE],
    ["a.ac3", `${TONE} -ar 48000`],
    ["a.mka", TONE],
    ["a.mp4", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=5 -shortest`],
    ["a.webm", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=5 -c:v libvpx -c:a libopus`],
    ["a.mov", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=5`],
    ["a.avi", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=5`],
    ["a.ts", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=5`],
    ["a.flv", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=5 -ar 44100`],
    ["a.mpg", `${TONE} -f lavfi -i testsrc=d=2:s=64x64:r=25`],
    ["5.1.wav", "-f lavfi -i anoisesrc=d=2:a=0.2 -af pan=5.1|c0=c0|c1=c0|c2=c0|c3=c0|c4=c0|c5=c0"],
    ["12.wav", `-f lavfi -i aevalsrc=${Array(12).fill("0.1").join("|")}:d=2`],
  ])("%s becomes 16 kHz mono", async (name, args) => {
    const path = await bench.make(name, args);
    const result = await decode(path);
    expect(result.durationSeconds).toBeGreaterThan(1.9);
    expect(result.durationSeconds).toBeLessThan(2.15);
    expect(result.warnings).toEqual([]);
    const samples = await samplesOf();
    expect(samples.length).toBe(result.samples);
    expect(samples.some((sample) => Math.abs(sample) > 500)).toBe(true);
  });

  test("a wrong extension and a wrong name do not matter", async () => {
    const flac = await readFile(await bench.make("right.flac", TONE));
    for (const name of ["wrong.txt", "http:--x:80.m3u8", "-i evil.mp3", "concat:a|b.mp3", "%03d.jpg"]) {
      expect((await decode(await bench.write(name, flac))).samples).toBe(32_000);
    }
  });

  test("an mp3 with cover art is sound, not picture", async () => {
    const cover = await bench.make("cover.png", "-f lavfi -i testsrc=s=64x64 -frames:v 1");
    const path = await bench.make(
      "cover.mp3",
      `${TONE} -i ${cover} -map 0 -map 1 -c:v copy -disposition:v attached_pic`,
    );
    expect(await probeMedia(path, { programs: bench.programs })).toMatchObject({ hasVideo: false, container: "mp3" });
    expect((await decode(path)).durationSeconds).toBeCloseTo(2, 1);
  });

  test("channels can be taken one by one", async () => {
    const path = await bench.make("lr.wav", "-f lavfi -i aevalsrc=0.1|0.5:d=1");
    const level = async (channel: number | "mix") => {
      expect((await decode(path, { channel })).channels).toBe(2);
      return (await samplesOf())[8000]! / 32768;
    };
    expect(await level(0)).toBeCloseTo(0.1, 2);
    expect(await level(1)).toBeCloseTo(0.5, 2);
    expect(await level("mix")).toBeCloseTo(0.3, 2);
    await expect(decode(path, { channel: 2 })).rejects.toMatchObject({ code: "unsupported_audio" });
  });

  test("a clip is cut at the sample, in a format that cannot be sought exactly, too", async () => {
    const path = await bench.make("ramp.mp3", "-f lavfi -i aevalsrc=0.1*floor(t):d=6 -ar 44100 -q:a 0");
    expect(await decode(path, { clip: { start: 2.5, end: 4.25 } })).toMatchObject({ samples: 28_000, warnings: [] });
    expect((await decode(path, { clip: { start: 5.5, end: 60 } })).durationSeconds).toBeCloseTo(0.5, 1);
    expect((await decode(path, { clip: { start: 0, end: 1 }, maxSeconds: 1 })).samples).toBe(16_000);
    await expect(decode(path, { clip: { start: 7 } })).rejects.toMatchObject({
      code: "unsupported_audio",
      message: "The audio has nothing from 7 s on.",
    });
    await noOutput();
  });

  test.each(["mkv", "mp4", "mov", "ts", "webm"])(
    "audio that begins after the picture keeps its place in time (%s)",
    async (extension) => {
      const inputs = "-itsoffset 1.5 -f lavfi -i sine=440:d=1 -f lavfi -i testsrc=d=3:s=64x64:r=5 -map 0 -map 1";
      const path = await bench.make(`late.${extension}`, inputs);
      expect((await decode(path)).durationSeconds).toBeCloseTo(2.5, 0);
      const samples = await samplesOf();
      const begins = samples.findIndex((sample) => Math.abs(sample) > 500) / 16_000;
      expect(Math.abs(begins - 1.5)).toBeLessThan(0.1);
    },
  );

  test("an hour of silence is quick, and progress rises", async () => {
    const path = await bench.make("hour.wav", "-f lavfi -i anullsrc=r=16000:cl=mono -t 3600");
    const seen: number[] = [];
    const started = performance.now();
    const result = await decode(path, { onProgress: (seconds) => seen.push(seconds) });
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(result).toMatchObject({ samples: 3600 * 16_000, warnings: [] });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });

  test.each([
    ["wav", TONE],
    ["mp3", TONE],
    ["flac", TONE],
    ["m4a", `${TONE} -movflags +faststart`],
    ["ogg", "-f lavfi -i anoisesrc=d=2 -c:a libvorbis -page_duration 100000"],
    ["mka", `${TONE} -c:a flac`],
    ["aiff", TONE],
  ])("of a truncated %s there is what is there, and a warning", async (extension, args) => {
    const whole = await readFile(await bench.make(`whole.${extension}`, args));
    const path = await bench.write(`cut.${extension}`, whole.subarray(0, (whole.length / 2) & ~1));
    const result = await decode(path);
    expect(result.durationSeconds).toBeGreaterThan(0.4);
    expect(result.durationSeconds).toBeLessThan(1.9);
    expect(result.warnings).toEqual([expect.stringMatching(/cut short|damaged/)]);
  });

  test("a WAV whose writer did not know its size is whole", async () => {
    for (const declaredBytes of [0xffff_ffff, 0x7fff_ffff]) {
      const path = await bench.write("piped.wav", wav(new Uint8Array(32_000), { declaredBytes }));
      expect(await decode(path)).toMatchObject({ samples: 16_000, warnings: [] });
    }
  });

  test("damage in the middle is told, and the rest is kept", async () => {
    const whole = await readFile(await bench.make("whole2.flac", "-f lavfi -i anoisesrc=d=4:r=16000"));
    whole.fill(0xaa, whole.length / 2, whole.length / 2 + 2000);
    const result = await decode(await bench.write("damaged.flac", whole));
    expect(result.durationSeconds).toBeGreaterThan(3);
    expect(result.warnings).toHaveLength(1);
  });

  test("audio longer than allowed is refused while it is decoded", async () => {
    const path = await bench.silence("long.mp3", 86_400);
    const started = performance.now();
    await expect(decode(path, { maxSeconds: 60 })).rejects.toMatchObject({
      code: "audio_too_long",
      message: "The audio is longer than the 60 s that are allowed.",
    });
    expect(performance.now() - started).toBeLessThan(5_000);
    await noOutput();
    const short = await bench.make("short.wav", "-f lavfi -i anullsrc=r=16000:cl=mono -t 60");
    expect((await decode(short, { maxSeconds: 60 })).samples).toBe(960_000);
  });

  test("an abort ends it at once, with the reason", async () => {
    const path = await bench.silence("long2.mp3", 86_400);
    const abort = new AbortController();
    const started = performance.now();
    const decoding = decode(path, {
      maxSeconds: 36_000,
      signal: abort.signal,
      onProgress: () => abort.abort("stop it"),
    });
    await expect(decoding).rejects.toBe("stop it");
    expect(performance.now() - started).toBeLessThan(5_000);
    await noOutput();
    await expect(decode(path, { signal: abort.signal })).rejects.toBe("stop it");
  });

  test("time that runs out ends it as a timeout", async () => {
    const path = await bench.silence("long3.mp3", 86_400);
    await expect(decode(path, { maxSeconds: 36_000, timeoutMs: 400 })).rejects.toMatchObject({ code: "timeout" });
    await noOutput();
  });

  test("a disk that does not take the samples ends it", async () => {
    const path = await bench.make("tone.wav", TONE);
    await symlink("/dev/full", bench.path("full"));
    const options = { programs: bench.programs, maxSeconds: 60 };
    await expect(decodeToPcm(path, bench.path("full"), options)).rejects.toMatchObject({
      code: "internal",
      retryable: true,
    });
  });
});
