import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { separateChannels } from "@scribe/media";
import { diarize } from "@scribe/speech";
import { printTable } from "../print-table.ts";
import type { Recording } from "./recordings.ts";
import { type DiarizationScore, errorRate, scoreDiarization, type Turn } from "./score-diarization.ts";

const LEAKS_DB = [Number.NEGATIVE_INFINITY, -26, -20, -14] as const;
const COLLAR = 0.25;
const RATE = 16_000;
const never = new AbortController().signal;

/**
 * Conversations with a speaker a channel, each leaking into the others: whose speech is found in which channel, with what
 * leaks muted, and without. Speech alone is looked for, so this is what `channels: "split"` begins with.
 */
export async function splitStereo(recordings: readonly Recording[], folder: string): Promise<void> {
  const rows: (string | number)[][] = [];
  for (const recording of recordings) {
    const speakers = [...new Set(recording.reference.map(({ speaker }) => speaker))];
    for (const leakDb of LEAKS_DB) {
      const paths = speakers.map((_, channel) => join(folder, `split-${channel}.pcm`));
      const found: [string, DiarizationScore][] = [];
      for (const muted of [false, true]) {
        writeChannels(recording, speakers, 10 ** (leakDb / 20), paths);
        if (muted) await separateChannels(paths, never);
        found.push([
          muted ? "leaks muted" : "as they are",
          scoreDiarization(recording.reference, await listenToEach(paths), { collar: COLLAR }),
        ]);
      }
      for (const [how, score] of found) {
        const { scored, missed, falseAlarm, confusion } = score;
        const figures = [errorRate(score), missed / scored, falseAlarm / scored, confusion / scored];
        const leak = leakDb === Number.NEGATIVE_INFINITY ? "none" : `${leakDb} dB`;
        rows.push([
          recording.name,
          speakers.length,
          leak,
          how,
          ...figures.map((share) => `${(100 * share).toFixed(1)} %`),
        ]);
      }
    }
  }
  console.log("\na speaker a channel, collar 0.25 s\n");
  printTable(["recording", "channels", "leak", "how", "DER", "missed", "false", "confused"], rows);
}

/** Each speaker's turns on a channel of its own, so much quieter in the others', over a hiss. */
function writeChannels({ pcmPath, reference }: Recording, speakers: readonly string[], leak: number, paths: string[]) {
  const bytes = readFileSync(pcmPath);
  const mixed = new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);
  speakers.forEach((speaker, channel) => {
    const out = new Int16Array(mixed.length);
    let seed = channel + 1;
    for (let i = 0; i < out.length; i++) {
      seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
      out[i] = Math.round(20 * (seed / 2 ** 32 - 0.5));
    }
    for (const turn of reference) {
      const gain = turn.speaker === speaker ? 1 : leak;
      const end = Math.min(out.length, Math.round(turn.end * RATE));
      for (let i = Math.round(turn.start * RATE); i < end; i++) out[i] = out[i]! + Math.round(gain * mixed[i]!);
    }
    writeFileSync(paths[channel]!, new Uint8Array(out.buffer));
  });
}

async function listenToEach(paths: readonly string[]): Promise<Turn[]> {
  const turns: Turn[] = [];
  for (const [channel, pcmPath] of paths.entries()) {
    const one = { pcmPath, minSpeakers: 1, maxSpeakers: 1, executionProviders: ["cpu"], intraOpThreads: 2 };
    const found = await diarize(one, { signal: never });
    turns.push(...found.turns.map((turn) => ({ ...turn, speaker: `channel ${channel}` })));
  }
  return turns;
}
