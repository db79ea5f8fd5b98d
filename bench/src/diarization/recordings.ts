import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Turn } from "./score-diarization.ts";

/** A recording with who speaks when; its samples lie at `pcmPath`. */
export interface Recording {
  name: string;
  group: "AMI" | "mixtures" | "overlapped mixtures" | "dialogues";
  pcmPath: string;
  reference: Turn[];
  /** What is said, where that is known. */
  utterances: (Turn & { words: string[] })[];
}

/** The recordings in `diarization` of a folder of test audio, decoded into `workFolder`. */
export function readRecordings(audio: string, workFolder: string): Recording[] {
  const folder = join(audio, "diarization");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".flac"))
    .map((file) => {
      const name = file.replace(/\.flac$/, "");
      const pcmPath = join(workFolder, `${name}.pcm`);
      writeFileSync(pcmPath, decode(join(folder, file)));
      const isAmi = name.startsWith("ami_");
      const reference = readRttm(join(folder, isAmi ? "ami.rttm" : `${name}.rttm`), name.replace(/^[a-z]+_/, ""));
      return {
        name,
        group: isAmi ? "AMI" : "mixtures",
        pcmPath,
        reference,
        utterances: readStm(join(folder, `${name}.stm`)),
      };
    });
}

/** Speakers of read speech one after the other, each with all that there is of them: what is said never comes again. */
export function makeDialogues(audio: string, workFolder: string): Recording[] {
  const bySpeaker = filesOfSpeakers(audio);
  const speakers = [...bySpeaker.keys()];
  return [
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 0],
    [1, 3, 5],
    [0, 2, 4],
    [6, 3, 1],
    [0, 1, 2, 3],
    [3, 4, 5, 6],
  ].map((chosen, k) => {
    const name = `dialogue_${k + 1}_${chosen.length}`;
    const reference: Turn[] = [];
    const pause = Buffer.alloc(12_800);
    const parts: Uint8Array[] = [pause];
    let start = 0.4;
    for (let round = 0; round < 6; round++) {
      for (const index of chosen) {
        const speaker = speakers[index]!;
        const samples = decode(bySpeaker.get(speaker)![round]!);
        reference.push({ speaker, start, end: start + samples.length / 32_000 });
        start += samples.length / 32_000 + 0.4;
        parts.push(samples, pause);
      }
    }
    const pcmPath = join(workFolder, `${name}.pcm`);
    writeFileSync(pcmPath, Buffer.concat(parts));
    return { name, group: "dialogues", pcmPath, reference, utterances: [] };
  });
}

/** Speakers of read speech who fall into each other's words: made here, the same every time. */
export function makeOverlapped(audio: string, workFolder: string): Recording[] {
  const bySpeaker = filesOfSpeakers(audio);
  const speakers = [...bySpeaker.keys()];
  return [2, 2, 3, 3, 4].map((count, k) => {
    const name = `overlapped_${k + 1}_${count}`;
    const chosen = Array.from({ length: count }, (_, i) => speakers[(k * 2 + i * 3) % speakers.length]!);
    const pieces = Array.from({ length: count * 3 }, (_, i) => {
      const speaker = chosen[i % count]!;
      const files = bySpeaker.get(speaker)!;
      return { speaker, samples: toSamples(decode(files[Math.floor(i / count) % files.length]!)) };
    });
    const reference: Turn[] = [];
    let end = 0.5;
    for (const { speaker, samples } of pieces) {
      // Every second turn begins before the other has ended.
      const start = reference.length % 2 === 1 ? Math.max(0, end - 1.5) : end + 0.4;
      reference.push({ speaker, start, end: start + samples.length / 16_000 });
      end = start + samples.length / 16_000;
    }
    const mixed = new Int16Array(Math.ceil((end + 0.5) * 16_000));
    pieces.forEach(({ samples }, i) => {
      const at = Math.round(reference[i]!.start * 16_000);
      for (let n = 0; n < samples.length; n++) {
        mixed[at + n] = Math.max(-32_768, Math.min(32_767, mixed[at + n]! + samples[n]!));
      }
    });
    const pcmPath = join(workFolder, `${name}.pcm`);
    writeFileSync(pcmPath, Buffer.from(mixed.buffer));
    return { name, group: "overlapped mixtures", pcmPath, reference, utterances: [] };
  });
}

/** The seven speakers of whom there are six recordings each. */
function filesOfSpeakers(audio: string): Map<string, string[]> {
  const folder = join(audio, "english");
  const bySpeaker = new Map<string, string[]>();
  for (const file of readdirSync(folder).sort()) {
    const speaker = /^ls_other_(\d+)-/.exec(file)?.[1];
    if (speaker) bySpeaker.set(speaker, [...(bySpeaker.get(speaker) ?? []), join(folder, file)]);
  }
  return bySpeaker;
}

function decode(path: string): Buffer {
  const args = ["-v", "error", "-i", path, "-ac", "1", "-ar", "16000", "-f", "s16le", "-"];
  return execFileSync("ffmpeg", args, { maxBuffer: 1 << 30 });
}

const toSamples = (bytes: Buffer) => new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length >> 1);

function readRttm(path: string, file: string): Turn[] {
  return fieldsOf(path)
    .filter(([type, name]) => type === "SPEAKER" && name === file)
    .map((field) => {
      const start = Number(field[3]);
      return { speaker: field[7]!, start, end: start + Number(field[4]) };
    });
}

function readStm(path: string): Recording["utterances"] {
  if (!existsSync(path)) return [];
  return fieldsOf(path).map(([, , speaker, start, end, ...words]) => ({
    speaker: speaker!,
    start: Number(start),
    end: Number(end),
    words,
  }));
}

const fieldsOf = (path: string) =>
  readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => line.trim().split(/\s+/));
