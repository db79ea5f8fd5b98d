import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Diarization, diarize } from "@scribe/speech";
import type { BenchOptions } from "../main.ts";
import { printTable } from "../print-table.ts";
import { memoryOverLength } from "./memory.ts";
import { givenNetworks, networkFolders, speedOfNetworks } from "./networks.ts";
import { makeDialogues, makeOverlapped, type Recording, readRecordings } from "./recordings.ts";
import { addScores, type DiarizationScore, errorRate, scoreDiarization, type Turn } from "./score-diarization.ts";
import { costOfSpeakers } from "./score-words.ts";
import { splitStereo } from "./split-stereo.ts";

/** Files with less speech say nothing of their own. */
const LEAST_SPEECH = 10;
const COLLAR = 0.25;

type Way = "one speaker" | "count unknown" | "count known" | "perfect voice activity" | "one speaker, perfect activity";

/**
 * Who speaks when, on the recordings of SCRIBE_TEST_AUDIO: error rates with a collar of 0.25 s and without, next to "one
 * speaker for all" and to what a perfect detection of speech would give; a speaker a channel, with leaks; and the memory
 * of long recordings. The pace of the networks is measured on random weights of the published shapes. With
 * DIARIZATION_SEGMENTATION_MODEL and DIARIZATION_EMBEDDING_MODEL (folders) those networks are measured, at both speeds,
 * and how far these are apart.
 */
export async function diarization({ only }: BenchOptions): Promise<void> {
  const audio = process.env.SCRIBE_TEST_AUDIO;
  if (!audio) {
    console.log("Set SCRIBE_TEST_AUDIO to the folder of recordings: it has `diarization/` and `english/`.");
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), "bench-diarization-"));
  try {
    const recordings = [
      ...readRecordings(audio, folder),
      ...makeOverlapped(audio, folder),
      ...makeDialogues(audio, folder),
    ];
    const conversations = recordings.filter(({ group }) => group === "mixtures");
    const wanted = (part: string) => only === "" || only.split(",").includes(part);
    if (wanted("errors")) await measureErrors(recordings);
    if (wanted("channels")) await splitStereo(conversations, folder);
    if (!wanted("pace") && !wanted("memory")) return;
    const networks = networkFolders(folder);
    if (wanted("pace")) await speedOfNetworks(conversations[0]!, folder, networks);
    if (wanted("memory")) await memoryOverLength(conversations[0]!, folder, networks);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureErrors(recordings: readonly Recording[]): Promise<void> {
  const speeds = givenNetworks() ? (["exact", "fast"] as const) : (["auto"] as const);
  const pooled = [];
  for (const speed of speeds) pooled.push(await measure(recordings, speed));
  if (pooled.length === 2) printDifference(pooled[0]!, pooled[1]!);
}

type Pooled = Map<string, { plain: DiarizationScore[]; collar: DiarizationScore[] }>;

async function measure(recordings: readonly Recording[], speed: "auto" | "exact" | "fast"): Promise<Pooled> {
  const rows: (string | number)[][] = [];
  const pooled: Pooled = new Map();
  const counted: Counted[] = [];
  let method = "";
  for (const recording of recordings) {
    const { name, group, reference } = recording;
    const seconds = reference.reduce((sum, { start, end }) => sum + end - start, 0);
    for (const [way, found] of await tryWays(recording, speed)) {
      method = found.method;
      const plain = scoreDiarization(reference, found.turns);
      const collar = scoreDiarization(reference, found.turns, { collar: COLLAR });
      if (way === "count unknown") counted.push({ name, group, found: countOf(found.turns), said: countOf(reference) });
      const cost = recording.utterances.length > 0 ? percent(costOfSpeakers(recording, found.exclusiveTurns)) : "";
      rows.push([
        name,
        seconds.toFixed(0),
        way,
        ...figures(plain, collar),
        countOf(found.turns),
        countOf(reference),
        cost,
      ]);
      if (seconds < LEAST_SPEECH) continue;
      const key = `${group}|${way}`;
      const pool = pooled.get(key) ?? { plain: [], collar: [] };
      pool.plain.push(plain);
      pool.collar.push(collar);
      pooled.set(key, pool);
    }
  }
  console.log(`method ${method}${speed === "auto" ? "" : `, ${speed}`}\n`);
  const columns = ["DER", "DER, collar", "missed", "false", "confused"];
  printTable(["recording", "speech s", "how", ...columns, "speakers", "of", "cpWER − WER"], rows);
  printCounts(counted);
  console.log(`\npooled, recordings with at least ${LEAST_SPEECH} s of speech\n`);
  printTable(
    ["recordings", "how", ...columns],
    [...pooled].map(([key, { plain, collar }]) => [...key.split("|"), ...figures(addScores(plain), addScores(collar))]),
  );
  return pooled;
}

/** What the faster way costs: points of the error rate. */
function printDifference(exact: Pooled, fast: Pooled): void {
  console.log("\nwhat `fast` adds to the error rate of `exact`\n");
  const added = (key: string, which: "plain" | "collar") => {
    const [slow, quick] = [exact, fast].map((pooled) => errorRate(addScores(pooled.get(key)![which])));
    return `${(100 * (quick! - slow!)).toFixed(1)} points`;
  };
  printTable(
    ["recordings", "how", "DER", "DER, collar"],
    [...exact.keys()].map((key) => [...key.split("|"), added(key, "plain"), added(key, "collar")]),
  );
}

type Counted = { name: string; group: string; found: number; said: number };

/** How many speakers were found where nobody says how many there are. */
function printCounts(counted: readonly Counted[]): void {
  const groups = Map.groupBy(counted, ({ group }) => group);
  const within = (rows: readonly Counted[], off: number) =>
    `${rows.filter(({ found, said }) => Math.abs(found - said) <= off).length} of ${rows.length}`;
  console.log("\nspeakers found, where nobody says how many there are\n");
  printTable(
    ["recordings", "right", "within one", "found (of)"],
    [...groups].map(([group, rows]) => [
      group,
      within(rows, 0),
      within(rows, 1),
      rows.map(({ name, found, said }) => `${name} ${found} (${said})`).join(", "),
    ]),
  );
}

async function tryWays({ pcmPath, reference }: Recording, speed: "auto" | "exact" | "fast") {
  const speech = union(reference);
  const count = countOf(reference);
  const ask = (more: { minSpeakers?: number; maxSpeakers?: number; speech?: typeof speech }): Promise<Diarization> =>
    diarize(
      {
        pcmPath,
        speed,
        ...givenNetworks(),
        executionProviders: ["cpu"],
        intraOpThreads: 2,
        ...more,
      },
      { signal: AbortSignal.timeout(3_600_000) },
    );
  const known = { minSpeakers: count, maxSpeakers: count };
  const one = { minSpeakers: 1, maxSpeakers: 1 };
  const ways: [Way, Diarization][] = [];
  ways.push(["one speaker", await ask(one)]);
  ways.push(["count unknown", await ask({})]);
  ways.push(["count known", await ask(known)]);
  ways.push(["one speaker, perfect activity", await ask({ ...one, speech })]);
  ways.push(["perfect voice activity", await ask({ speech })]);
  return ways;
}

function figures(plain: DiarizationScore, collar: DiarizationScore): string[] {
  const { scored, missed, falseAlarm, confusion } = plain;
  return [errorRate(plain), errorRate(collar), missed / scored, falseAlarm / scored, confusion / scored].map(percent);
}

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;
const countOf = (turns: readonly Turn[]) => new Set(turns.map(({ speaker }) => speaker)).size;

function union(turns: readonly Turn[]): { start: number; end: number }[] {
  const spans: { start: number; end: number }[] = [];
  for (const { start, end } of [...turns].sort((a, b) => a.start - b.start)) {
    const before = spans.at(-1);
    if (before && start <= before.end) before.end = Math.max(before.end, end);
    else spans.push({ start, end });
  }
  return spans;
}
