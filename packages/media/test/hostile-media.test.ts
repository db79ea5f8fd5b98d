import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "@jest/globals";
import { waitFor } from "@scribe/testing";
import { decodeToPcm, probeMedia, sniffMedia, sweepCages } from "../src/index.ts";
import { type MediaBench, openMediaBench, processesIn, wav } from "./make-media.ts";

describe("hostile files", () => {
  let bench: MediaBench;
  beforeAll(async () => {
    bench = await openMediaBench();
  });
  afterAll(() => bench.dispose());
  afterEach(async () => expect(await bench.leftovers()).toEqual([]));

  const options = () => ({ programs: bench.programs, temporaryFolder: bench.temporaryFolder, maxSeconds: 36_000 });
  const decode = (path: string) => decodeToPcm(path, bench.path("out.pcm"), options());
  const refuses = async (path: string, code: string, message?: RegExp) => {
    await expect(decode(path)).rejects.toMatchObject({
      code,
      retryable: false,
      message: expect.stringMatching(message ?? /./),
    });
    await expect(stat(bench.path("out.pcm"))).rejects.toMatchObject({ code: "ENOENT" });
  };

  test("playlists and lists reach neither a file nor an address, whatever they are called", async () => {
    let requests = 0;
    const canary = createServer((_request, response) => {
      requests += 1;
      response.end();
    });
    canary.listen(0, "127.0.0.1");
    await once(canary, "listening");
    const address = `http://127.0.0.1:${(canary.address() as AddressInfo).port}`;
    const secret = await bench.make("secret.wav", "-f lavfi -i sine=440:d=1");
    const lists = [
      `#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${address}/a.ts\n#EXT-X-ENDLIST\n`,
      `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${secret}\n#EXT-X-ENDLIST\n`,
      `#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:1,\nconcat:file://${secret}|${address}/x\n#EXT-X-ENDLIST\n`,
      `ffconcat version 1.0\nfile '${secret}'\n`,
      `file '${secret}'\n`,
      `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet><Representation id="1"><BaseURL>${address}/a</BaseURL></Representation></AdaptationSet></Period></MPD>`,
      `v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n`,
      `[playlist]\nFile1=${address}/a.mp3\n`,
      `[Reference]\nRef1=${address}/a.asf\n`,
      `<asx version="3.0"><entry><ref href="${address}/a"/></entry></asx>`,
      `#EXTM3U\n${secret}\n`,
      `;FFMETADATA1\ntitle=x\n`,
    ];
    for (const [index, list] of lists.entries()) {
      expect(sniffMedia(Buffer.from(list))).toBeNull();
      for (const extension of [
        ["wav", "m3u8"],
        ["mp3", "ffconcat"],
        ["wav", "sdp"],
      ][index % 3]!) {
        await refuses(await bench.write(`list-${index}.${extension}`, list), "unsupported_audio");
      }
    }
    canary.close();
    expect(requests).toBe(0);
  });

  test.each([
    ["text", "hello, I am no audio\n".repeat(100)],
    ["a page", "<!doctype html><html><body>404</body></html>"],
    ["zeros", Buffer.alloc(100_000)],
    [
      "a picture",
      Buffer.from(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGD4DwABBAEAX+XDSwAAAABJRU5ErkJggg==",
        "base64",
      ),
    ],
    ["a program", "#!/bin/sh\nrm -rf /\n"],
    ["subtitles", "1\n00:00:00,000 --> 00:00:01,000\nhello\n"],
  ])("%s is not audio", async (name, content) => {
    expect(sniffMedia(Buffer.from(content))).toBeNull();
    await refuses(await bench.write(`${name}.wav`, content), "unsupported_audio");
  });

  test("an empty file says that it is empty", async () => {
    await refuses(await bench.write("empty.wav", ""), "unsupported_audio", /empty/);
  });

  test("a header without samples is a failure", async () => {
    await refuses(await bench.write("header.wav", wav(new Uint8Array(0))), "unsupported_audio");
    const flac = await readFile(await bench.make("some.flac", "-f lavfi -i sine=440:d=1"));
    await refuses(await bench.write("header.flac", flac.subarray(0, 120)), "unsupported_audio");
    const mp4 = await readFile(await bench.make("some.m4a", "-f lavfi -i sine=440:d=1"));
    await refuses(await bench.write("header.m4a", mp4.subarray(0, 2000)), "unsupported_audio", /incomplete/);
  });

  test("a picture without sound says so", async () => {
    const path = await bench.make("mute.mp4", "-f lavfi -i testsrc=d=1:s=64x64:r=5");
    expect(await probeMedia(path, options())).toMatchObject({ hasVideo: true, audioStreams: [] });
    await refuses(path, "no_audio_stream", /no sound/);
  });

  test.each([
    ["1 Hz", { sampleRate: 1 }],
    ["3999 Hz", { sampleRate: 3999 }],
    ["1 MHz", { sampleRate: 1_000_000 }],
    ["4 GHz", { sampleRate: 0xffff_ffff }],
    ["0 Hz", { sampleRate: 0 }],
    ["65 channels", { channels: 65 }],
    ["65535 channels", { channels: 65_535 }],
    ["0 channels", { channels: 0 }],
  ])("a WAV that claims %s is refused", async (_name, claims) => {
    const started = performance.now();
    await refuses(await bench.write("claims.wav", wav(new Uint8Array(1_000_000), claims)), "unsupported_audio");
    expect(performance.now() - started).toBeLessThan(3000);
  });

  test("both ends of what a recording may claim are read", async () => {
    for (const claims of [{ sampleRate: 4000 }, { sampleRate: 768_000 }, { channels: 64 }]) {
      const path = await bench.write("claims.wav", wav(new Uint8Array(1_280_000), claims));
      expect((await decode(path)).samples).toBeGreaterThan(0);
    }
  });

  test("a day of silence in a few megabytes is cut in time", async () => {
    const path = await bench.silence("day.mp3", 86_400);
    expect((await stat(path)).size).toBeLessThan(100_000_000);
    let decodedSeconds = 0;
    const onProgress = (seconds: number) => {
      decodedSeconds = seconds;
    };
    await expect(
      decodeToPcm(path, bench.path("out.pcm"), { ...options(), maxSeconds: 3600, onProgress }),
    ).rejects.toMatchObject({ code: "audio_too_long" });
    // It is stopped where the limit is, not at the end of the day.
    expect(decodedSeconds).toBeLessThan(4000);
  }, 120_000);

  test("memory has a limit, and running into it is the file's failure", async () => {
    if (!bench.programs.prlimit) return;
    const path = await bench.make("some.wav", "-f lavfi -i sine=440:d=1");
    await expect(
      decodeToPcm(path, bench.path("out.pcm"), { ...options(), memoryBytes: 64 * 1024 ** 2 }),
    ).rejects.toMatchObject({ code: "unsupported_audio" });
    const decoded = await decodeToPcm(path, bench.path("out.pcm"), { ...options(), memoryBytes: 1024 ** 3 });
    expect(decoded.samples).toBe(16_000);
  });

  test("a program that cannot be started is our failure", async () => {
    const path = await bench.make("some.wav", "-f lavfi -i sine=440:d=1");
    const programs = {
      ffmpeg: "/nowhere",
      ffprobe: "/nowhere",
      version: "0",
      source: "system",
      otherDecoders: "",
    } as const;
    await expect(probeMedia(path, { ...options(), programs })).rejects.toMatchObject({
      code: "internal",
      retryable: true,
    });
  });

  test("killed from outside is our failure, not the file's", async () => {
    const path = await bench.silence("slow.mp3", 86_400);
    const abort = new AbortController();
    let killed = false;
    const decoding = decodeToPcm(path, bench.path("out.pcm"), {
      ...options(),
      signal: abort.signal,
      onProgress: () => {
        if (killed) return;
        killed = true;
        void killDecoders();
      },
    });
    await expect(decoding).rejects.toMatchObject({ code: "internal", retryable: true });
  });

  async function killDecoders(): Promise<void> {
    const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,ppid=,args="]);
    for (const line of stdout.split("\n")) {
      const [, pid, parent] = line.match(/^\s*(\d+)\s+(\d+)\s+\S*ffmpeg .*file:input/) ?? [];
      if (pid && Number(parent) === process.pid) process.kill(Number(pid), "SIGKILL");
    }
  }

  test("when this process dies, its decoder dies", async () => {
    if (!bench.programs.setpriv) return;
    const path = await bench.silence("hours.mp3", 864_000);
    const door = join(import.meta.dirname, "../src/index.ts");
    const script = `
      import { decodeToPcm } from ${JSON.stringify(door)};
      const options = { ...${JSON.stringify(options())}, maxSeconds: 864_000, onProgress: () => console.log("decoding") };
      await decodeToPcm(${JSON.stringify(path)}, ${JSON.stringify(bench.path("orphan.pcm"))}, options);`;
    const node = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(node.stdout, "data");
    const decoders = () => processesIn(bench.temporaryFolder);
    expect((await decoders()).length).toBeGreaterThan(0);
    node.kill("SIGKILL");
    await once(node, "close");
    await waitFor(async () => (await decoders()).length === 0, { what: "the end of the decoder" });
    // Its folder stays until the sweep.
    expect(await readdir(bench.temporaryFolder)).toHaveLength(1);
    expect(await sweepCages({ temporaryFolder: bench.temporaryFolder })).toBe(0);
    expect(await sweepCages({ temporaryFolder: bench.temporaryFolder, olderThanMs: 0 })).toBe(1);
  });

  test("the sweep touches nothing but old cages", async () => {
    const folder = bench.path("sweep");
    for (const name of ["scribe-cage-old", "scribe-cage-new", "other"])
      await mkdir(join(folder, name), { recursive: true });
    await writeFile(join(folder, "scribe-cage-old", "input"), "");
    await utimes(join(folder, "scribe-cage-old"), 1, 1);
    await utimes(join(folder, "other"), 1, 1);
    expect(await sweepCages({ temporaryFolder: folder })).toBe(1);
    expect((await readdir(folder)).sort()).toEqual(["other", "scribe-cage-new"]);
  });

  test("damaged files of ten kinds end in samples or in an error of the catalogue", async () => {
    const random = generator(7);
    const kinds = ["wav", "mp3", "flac", "ogg", "m4a", "aac", "aiff", "mka", "ts", "avi"];
    const codes = new Set<string>();
    for (const kind of kinds) {
      const whole = await readFile(await bench.make(`good.${kind}`, "-f lavfi -i anoisesrc=d=0.5:r=16000"));
      for (let round = 0; round < 3; round++) {
        const mutant = Buffer.from(whole.subarray(0, round === 2 ? random(whole.length) : whole.length));
        for (let hits = 0; hits < 1 + round * 20; hits++) mutant[random(Math.max(1, mutant.length))] = random(256);
        const path = await bench.write(`mutant.${kind}`, mutant);
        const outcome = await decode(path).then(
          ({ samples }) => (samples > 0 ? "samples" : "none"),
          (error: { code: string }) => error.code,
        );
        codes.add(outcome);
      }
    }
    codes.delete("samples");
    for (const code of codes)
      expect(["unsupported_audio", "no_audio_stream", "audio_too_long", "timeout"]).toContain(code);
  }, 120_000);
});

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
