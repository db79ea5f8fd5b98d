import { expect, test } from "@jest/globals";
import { makeWav, sampleDialogue, speechFixture, tone } from "../src/index.ts";

/** Rate, channels and seconds as the header of a plain WAVE file tells them. */
function header(bytes: Uint8Array) {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const [channels, sampleRate] = [file.readUInt16LE(22), file.readUInt32LE(24)];
  return { channels, sampleRate, seconds: file.readUInt32LE(40) / (sampleRate * channels * 2) };
}

test("a made recording says of itself what it holds", () => {
  expect(header(makeWav({ seconds: 0.25, sampleRate: 8_000, channels: 2 }))).toEqual({
    channels: 2,
    sampleRate: 8_000,
    seconds: 0.25,
  });
  const loud = makeWav({ seconds: 0.01, signal: tone(1_000, 0.5) });
  const peak = Math.max(...new Int16Array(loud.buffer, loud.byteOffset + 44));
  expect(peak / 32_767).toBeCloseTo(0.5, 2);
});

test("the sample is a dialogue of about 30 s with its text, numbers in words", () => {
  const { bytes, text } = sampleDialogue();
  const { seconds, ...shape } = header(bytes);
  expect(shape).toEqual({ channels: 1, sampleRate: 16_000 });
  expect(Math.abs(seconds - 30)).toBeLessThan(5);
  expect(text).toMatch(/^[A-Za-z ,.?'\n]+$/);
});

test.each(["meeting", "ticket"])("the recording %s is 16 kHz mono and has its words beside it", (name) => {
  const { bytes, text } = speechFixture(name);
  expect(header(bytes)).toMatchObject({ channels: 1, sampleRate: 16_000 });
  expect(text).toMatch(/\.$/);
});
