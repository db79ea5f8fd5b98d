// `npm run bench` runs all, `npm run bench -- NAME` one, `npm run bench -- --list` says which there are.
import { parseArgs } from "node:util";
import { liveAlerts } from "./alerts/live-alerts.ts";
import { batch } from "./batch/batch.ts";
import { coldStart } from "./cold-start.ts";
import { diarization } from "./diarization/diarization.ts";
import { endToEnd } from "./end-to-end.ts";
import { engine, equality } from "./engine/engine.ts";
import { growth } from "./engine/growth.ts";
import { longForm } from "./engine/long-form.ts";
import { longRun } from "./engine/long-run.ts";
import { http } from "./http/http.ts";
import { describeMachine } from "./machine.ts";
import { queue } from "./queue/queue.ts";
import { redaction } from "./redaction/redaction.ts";
import { scale } from "./scale/scale.ts";
import { search } from "./search/search.ts";
import { storage } from "./storage/storage.ts";

/** One measurement: prints its table, and what it compares with. */
interface Bench {
  what: string;
  run(options: BenchOptions): Promise<void>;
}

export interface BenchOptions {
  /** Length of the recording of `end-to-end`, `engine` and `long-form`. */
  minutes: number;
  /** Parts of `engine` and `diarization`, ways and models of `long-form`, separated by commas; empty: all. */
  only: string;
  /** Length of each round of `http`. */
  seconds: number;
  /** Requests under way at once in `http`. */
  connections: number;
  rounds: number;
  /** `long-form` without second hearings: hours of speech then take minutes. */
  greedy: boolean;
  /** Of the object of `storage`. */
  megabytes: number;
  /** Of a round of `queue`. */
  jobs: number;
  /** Of a tenant of `search`. */
  segments: number;
}

const BENCHES: Record<string, Bench> = {
  "end-to-end": { what: "a recording through the API: real-time factor (--minutes 5, --rounds 3)", run: endToEnd },
  http: {
    what: "requests a second next to a bare Express + pg route (--seconds 4, --connections 16, --rounds 5)",
    run: http,
  },
  queue: {
    what: "whole job cycles over HTTP next to the same statements alone; submit to claim (--jobs 1000, --rounds 3)",
    run: queue,
  },
  batch: {
    what: "a batch of short files next to a request each; one job behind another tenant's 5,000; cache hits (--jobs 1000, --rounds 1)",
    run: batch,
  },
  engine: {
    what: "the engine next to whisper.cpp and transformers.js (--only tiny,base,small,recording,features,ragged,compile,int8, --minutes 30, --rounds 2)",
    run: engine,
  },
  equality: { what: "tokens next to those of transformers.js (SCRIBE_TEST_AUDIO, SCRIBE_TEST_MODELS)", run: equality },
  "long-form": {
    what: "clips joined to a long recording next to the clips alone (SCRIBE_TEST_AUDIO, --only packed,sequential,whole,bundled,tiny, --minutes 10, --greedy)",
    run: longForm,
  },
  growth: { what: "time and memory of the child over 1, 10, 60 and 180 minutes (--minutes 180)", run: growth },
  "long-run": { what: "memory of the child over 200 jobs of mixed length (--jobs 200)", run: longRun },
  diarization: {
    what: "who speaks when, on recordings with references (SCRIBE_TEST_AUDIO, --only errors,channels,pace,memory)",
    run: diarization,
  },
  redaction: { what: "what is personal in 500 sentences: precision and recall by type", run: redaction },
  search: {
    what: "questions over 100,000 segments next to the same without the index (--segments 100000)",
    run: search,
  },
  storage: {
    what: "a large object through each store and back: pace, and memory of the client (--megabytes 1024)",
    run: storage,
  },
  scale: { what: "ways to scale, played against traces; and four real workers next to one", run: scale },
  alerts: {
    what: "faults made for real under Prometheus, and when its alerts say so (as root, with `prometheus`)",
    run: liveAlerts,
  },
  "cold-start": {
    what: "from the start of API and worker to ready, next to a bare server (--rounds 5)",
    run: coldStart,
  },
};

const USUAL_ROUNDS: Record<string, number> = { "end-to-end": 3, queue: 3, batch: 1, engine: 2 };
const USUAL_MINUTES: Record<string, number> = { engine: 30, "long-form": 10, growth: 180 };
const USUAL_JOBS: Record<string, number> = { "long-run": 200 };

/**
 * Not run with all the others: `alerts` needs Debian's `prometheus`, and root for a disk of its own; the engine's need a
 * compiler, recordings or models that do not come with the project, or hours.
 */
const BY_NAME_ONLY = new Set(["alerts", "engine", "equality", "long-form", "growth", "long-run"]);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: "boolean" },
    minutes: { type: "string" },
    only: { type: "string", default: "" },
    greedy: { type: "boolean", default: false },
    seconds: { type: "string", default: "4" },
    connections: { type: "string", default: "16" },
    rounds: { type: "string" },
    megabytes: { type: "string", default: "1024" },
    jobs: { type: "string" },
    segments: { type: "string", default: "100000" },
  },
});

const unknown = positionals.filter((name) => !Object.hasOwn(BENCHES, name));
if (values.list) {
  for (const [name, { what }] of Object.entries(BENCHES)) console.log(`${name.padEnd(12)} ${what}`);
} else if (unknown.length > 0) {
  console.error(`No such bench: ${unknown.join(", ")}. There are: ${Object.keys(BENCHES).join(", ")}.`);
  process.exitCode = 2;
} else {
  console.log(describeMachine());
  const names = positionals.length > 0 ? positionals : Object.keys(BENCHES).filter((name) => !BY_NAME_ONLY.has(name));
  for (const name of names) {
    console.log(`\n${name}: ${BENCHES[name]!.what.replace(/ \(.*/, "")}\n`);
    await BENCHES[name]!.run({
      minutes: Number(values.minutes ?? USUAL_MINUTES[name] ?? 5),
      only: values.only,
      greedy: values.greedy,
      seconds: Number(values.seconds),
      connections: Number(values.connections),
      jobs: Number(values.jobs ?? USUAL_JOBS[name] ?? 1000),
      segments: Number(values.segments),
      megabytes: Number(values.megabytes),
      rounds: Number(values.rounds ?? USUAL_ROUNDS[name] ?? 5),
    });
  }
  // The schema engine leaves a timer behind.
  process.exit(0);
}
