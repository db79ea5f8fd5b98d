import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { SNIFF_BYTES, sniffMedia } from "../src/index.ts";
import { type MediaBench, openMediaBench } from "./make-media.ts";

const TONE = "-f lavfi -i sine=440:d=1";
const FILM = `${TONE} -f lavfi -i testsrc=d=1:s=64x64:r=25`;

describe("sniffing", () => {
  let bench: MediaBench;
  beforeAll(async () => {
    bench = await openMediaBench();
  });
  afterAll(() => bench.dispose());

  test.each([
    ["wav", "a.wav", TONE],
    ["wav", "b.wav", `${TONE} -rf64 always`],
    ["w64", "a.w64", TONE],
    ["aiff", "a.aiff", TONE],
    ["flac", "a.flac", TONE],
    ["ogg", "a.opus", `${TONE} -c:a libopus`],
    ["mp3", "a.mp3", TONE],
    ["mp3", "b.mp3", `${TONE} -id3v2_version 0 -write_xing 0`],
    ["mp3", "c.mp3", `${TONE} -ar 8000 -id3v2_version 0 -write_xing 0`],
    ["mp3", "a.mp2", TONE],
    ["aac", "a.aac", TONE],
    ["ac3", "a.ac3", TONE],
    ["m4a", "a.m4a", TONE],
    ["mp4", "a.mp4", FILM],
    ["mov", "a.mov", FILM],
    ["3gp", "a.3gp", `${FILM} -c:a aac -s 176x144`],
    ["matroska", "a.mkv", FILM],
    ["webm", "a.webm", FILM],
    ["avi", "a.avi", FILM],
    ["flv", "a.flv", `${FILM} -ar 44100`],
    ["asf", "a.wma", TONE],
    ["mpeg", "a.mpg", FILM],
    ["mpegts", "a.ts", FILM],
    ["mpegts", "a.m2ts", `${FILM} -f mpegts -mpegts_m2ts_mode 1`],
    ["caf", "a.caf", TONE],
    ["au", "a.au", TONE],
    ["voc", "a.voc", TONE],
    ["wavpack", "a.wv", TONE],
    ["tta", "a.tta", TONE],
    ["mxf", "a.mxf", `${FILM} -c:v mpeg2video -ar 48000`],
  ])("knows %s (%s)", async (container, name, args) => {
    const content = (await readFile(await bench.make(name, args))).subarray(0, SNIFF_BYTES);
    expect(sniffMedia(content)).toMatchObject({ container, contentType: expect.stringMatching(/^\w+\/[\w.-]+$/) });
  });

  test("finds the frames of an mp3 behind junk, and takes no text for frames", async () => {
    const mp3 = await readFile(await bench.make("d.mp3", `${TONE} -id3v2_version 0 -write_xing 0`));
    expect(sniffMedia(Buffer.concat([Buffer.alloc(500), mp3]).subarray(0, SNIFF_BYTES))).toMatchObject({
      container: "mp3",
    });
    for (const text of ["ÿûÿûÿû plain words, and more of them", "\xff\xfb\x90", "ID3"]) {
      expect(sniffMedia(Buffer.from(text, "latin1"))).toBeNull();
    }
  });

  test.each([
    ["nothing", ""],
    ["one byte", "R"],
    ["a RIFF of another kind", "RIFF\x00\x00\x00\x00WEBP"],
    ["a photograph in boxes", "\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"],
    ["an animation in boxes", "\x00\x00\x00\x18ftypavif\x00\x00\x00\x00"],
    ["a PNG", "\x89PNG\r\n\x1a\n"],
    ["a PDF", "%PDF-1.7"],
    ["a ZIP", "PK\x03\x04"],
    ["a program", "\x7fELF\x02\x01\x01"],
    ["JSON", '{"url": "http://127.0.0.1/"}'],
    ["a MIDI", "MThd\x00\x00\x00\x06"],
  ])("%s is no media", (_name, content) => {
    expect(sniffMedia(Buffer.from(content, "latin1"))).toBeNull();
  });

  test("random bytes are taken for media almost never, and never throw", () => {
    let taken = 0;
    let state = 1;
    for (let round = 0; round < 2000; round++) {
      const bytes = Buffer.alloc(round % 300);
      for (let i = 0; i < bytes.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        bytes[i] = state >>> 24;
      }
      if (sniffMedia(bytes)) taken += 1;
    }
    expect(taken).toBeLessThan(20);
  });
});
