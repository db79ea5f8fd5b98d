import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decodeToPcm, findFfmpeg, sniffMedia } from "@scribe/media";
import { type Attack, Broken } from "../attack.ts";
import { inParallel } from "../in-parallel.ts";
import { Random } from "../random.ts";
import { type Stage, untilEnded } from "../stage/open-stage.ts";
import { makeOriginals } from "./make-originals.ts";
import { mutate } from "./mutate-media.ts";

const COUNTS = { caged: 10_000, synthetic: 500, real: 100 };
const SHORT_COUNTS = { caged: 24, synthetic: 8, real: 1 };
/** What a file may be refused with. */
const KNOWN = new Set(["unsupported_audio", "no_audio_stream", "audio_too_long", "audio_too_large", "timeout"]);
const AT_ONCE = 4;
const DECODE_LIMIT_MS = 30_000;

/** The n-th mutated file, the same for the same seed. */
function mutantMaker(originals: ReadonlyMap<string, Buffer>, seed: number) {
  const names = [...originals.keys()];
  return (number: number) => {
    const random = new Random(seed * 1_000_003 + number);
    const name = names[number % names.length] as string;
    const bytes = mutate(originals.get(name) as Buffer, random, originals.get(random.pick(names)) as Buffer);
    return { name: `${name} #${number}`, bytes };
  };
}

export const cagedMedia: Attack = {
  name: "media-cage",
  what: "mutated media files of twelve formats through sniff and cage",
  mustHold: "0 crashes, 0 unknown errors, 0 results without samples, nothing left over",
  async run(stage) {
    const broken = new Broken();
    const programs = await findFfmpeg({ production: false });
    const makeMutant = mutantMaker(await makeOriginals(programs), stage.seed);
    const folder = await mkdtemp(join(tmpdir(), "scribe-mutants-"));
    const cages = await mkdtemp(join(tmpdir(), "scribe-mutant-cages-"));
    const count = stage.short ? SHORT_COUNTS.caged : COUNTS.caged;
    const ends = { sniffed: 0, decoded: 0, refused: 0 };
    try {
      await inParallel(numbers(count), AT_ONCE, async (number) => {
        if (number > 0 && number % 500 === 0)
          stage.log(`${number} mutated files, ${broken.count} of them broke something`);
        const { name, bytes } = makeMutant(number);
        // What is not recognised never reaches the cage; here it does all the same: a sniffer may be fooled.
        if (sniffMedia(bytes.subarray(0, 8192)) !== null) ends.sniffed += 1;
        const [path, out] = [join(folder, String(number)), join(folder, `${number}.pcm`)];
        await writeFile(path, bytes);
        const startedAt = performance.now();
        try {
          const options = { programs, temporaryFolder: cages, timeoutMs: DECODE_LIMIT_MS, maxSeconds: 3600 };
          const { samples } = await decodeToPcm(path, out, options);
          ends.decoded += 1;
          if (samples === 0) broken.add(`${name}: a result without samples`);
        } catch (error) {
          ends.refused += 1;
          const { code } = error as { code?: string };
          if (code === undefined || !KNOWN.has(code)) broken.add(`${name}: ${error}`);
          if (await exists(folder, `${number}.pcm`)) broken.add(`${name}: a refused file left its samples`);
        }
        if (performance.now() - startedAt > 2 * DECODE_LIMIT_MS + 5_000) broken.add(`${name}: took too long`);
        await rm(path, { force: true });
        await rm(out, { force: true });
      });
      const left = [...(await readdir(folder)), ...(await readdir(cages))];
      if (left.length > 0) broken.add(`left over: ${left.slice(0, 5).join(", ")}`);
    } finally {
      await rm(folder, { recursive: true, force: true });
      await rm(cages, { recursive: true, force: true });
    }
    return {
      count,
      seen: `${ends.decoded} decoded, ${ends.refused} refused (${count - ends.sniffed} of all by the sniffer, too)`,
      broken: broken.list,
    };
  },
};

export const mediaThroughApi: Attack = {
  name: "media-api",
  what: "mutated media files through the whole stack, with the synthetic engine and the real one",
  mustHold: "0 crashes, 0 answers of 500, 0 completed without samples, nothing left over",
  async run(stage) {
    const broken = new Broken();
    const originals = await makeOriginals(await findFfmpeg({ production: false }));
    const makeMutant = mutantMaker(originals, stage.seed + 1);
    const counts = stage.short ? SHORT_COUNTS : COUNTS;
    const ends = new Map<string, number>();
    const note = (end: string) => ends.set(end, (ends.get(end) ?? 0) + 1);
    const crashedBefore = stage.crashes().length;
    await inParallel(numbers(counts.synthetic + counts.real), 4, async (number) => {
      const real = number >= counts.synthetic;
      const { name, bytes } = makeMutant(number);
      const form = new FormData();
      if (!real) form.set("engine", "synthetic");
      form.set("file", new Blob([new Uint8Array(bytes)]), random(number));
      const answer = await stage.call("/api/v1/transcribe/upload", { method: "POST", body: form });
      if (answer.status !== 202) {
        note(`${answer.status}`);
        if (answer.status !== 415 && answer.status !== 400) broken.add(`${name}: ${answer.status} ${answer.text}`);
        return;
      }
      const job = await untilEnded(stage, String(answer.json().job_id), 300_000);
      note(job.error?.code ?? job.status);
      if (job.status === "completed" && !((job.duration ?? 0) > 0)) broken.add(`${name}: completed without samples`);
      if (job.status === "failed" && !KNOWN.has(job.error?.code ?? "")) {
        broken.add(`${name}: ${job.error?.code} ${job.error?.message}`);
      }
      const erased = await stage.call(`/api/v1/jobs/${job.job_id}`, { method: "DELETE" });
      if (erased.status !== 204) broken.add(`${name}: not erased: ${erased.status}`);
    });
    for (const crash of stage.crashes().slice(crashedBefore)) broken.add(crash);
    for (const left of await leftovers(stage)) broken.add(`left over: ${left}`);
    const seen = [...ends].map(([end, count]) => `${count} ${end}`).join(", ");
    return {
      count: counts.synthetic + counts.real,
      seen: `${seen}; ${counts.real} with the real engine`,
      broken: broken.list,
    };
  },
};

function* numbers(count: number): Generator<number> {
  for (let at = 0; at < count; at++) yield at;
}

/** Names are the caller's to choose, too. */
function random(number: number): string {
  const names = [
    "a.wav",
    "../../etc/passwd",
    "a.m3u8",
    "-i.wav",
    "x\u202egpj.wav",
    "a".repeat(200),
    "http:a",
    "%s%n.mp3",
  ];
  return names[number % names.length] as string;
}

async function exists(folder: string, name: string): Promise<boolean> {
  return (await readdir(folder)).includes(name);
}

/** Objects and working folders that nobody needs any more. */
async function leftovers({ stack }: Stage): Promise<string[]> {
  const all = await readdir(stack.dataDir, { recursive: true, withFileTypes: true });
  const files = all.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.filter((path) => /\/audio\/.*\/source|scribe-cage|\.put-|\/work\/.*\.(pcm|source)/.test(path));
}
