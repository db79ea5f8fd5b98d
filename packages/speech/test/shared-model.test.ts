import { describe, expect, test } from "@jest/globals";
import { countOccupancy } from "../src/runtime/count-occupancy.ts";
import { SharedModel } from "../src/runtime/shared-model.ts";
import type { DecoderBatch, DecoderRow } from "../src/sessions/decoder-batch.ts";
import type { WhisperModel } from "../src/sessions/whisper-model.ts";
import { chooseBest } from "../src/whisper/choose-token.ts";
import type { DecodeRequest, WindowDecoder } from "../src/whisper/window-decoder.ts";

const END = 0;
const VOCABULARY = 10;
const never = new AbortController().signal;

type Row = DecoderRow & { slot: number; done: boolean; text: number; said: number };

/**
 * A model whose windows say what their features name: `[text, length]` is the token `text`, `length` times. Writes down
 * what it was asked for; `fail` may refuse.
 */
function scripted({
  maxBatch = 4,
  advances = true,
  whole = undefined as (() => void) | undefined,
  fail = (_operation: string, _rows: number) => {},
} = {}) {
  const log: string[] = [];
  const newBatch = (): DecoderBatch => {
    const rows: Row[] = [];
    const next = (row: Row) => (row.said >= Math.floor(row.text / 10) ? END : row.text % 10);
    const logitsOf = (token: number) => Array.from({ length: VOCABULARY }, (_, i) => (i === token ? 9 : 0));
    const batch: DecoderBatch = {
      rows,
      async join(joining) {
        fail("join", rows.length + joining.length);
        log.push(`join ${joining.length}`);
        return joining.map(({ audio }) => {
          const text = (audio as unknown as { text: number }).text;
          const row: Row = { slot: rows.length, last: 0, done: false, text, said: 0 };
          rows.push(row);
          return { row, logits: Float32Array.from([...Array(VOCABULARY).fill(0), ...logitsOf(next(row))]) };
        });
      },
      begin(row, token) {
        (row as Row).done = token === END;
      },
      async step() {
        fail("step", rows.length);
        log.push(`step ${rows.length}`);
        for (const row of rows) row.said++;
        return Float32Array.from(rows.flatMap((row) => logitsOf(next(row))));
      },
      leave(row) {
        const last = rows.pop() as Row;
        if (last !== row) {
          last.slot = row.slot;
          rows[row.slot] = last;
        }
      },
      reorder() {},
    };
    if (whole) {
      batch.decodeWhole = async (windows) => {
        log.push(`whole ${windows.length}`);
        whole();
        return windows.map(({ audio, first, maximumTokens }) => {
          const { text } = audio as unknown as { text: number };
          // The rules of a first token are told by what they do to zeros.
          const tokens = first.some((bias) => bias !== 0) ? [] : Array(Math.floor(text / 10)).fill(text % 10);
          const said = [...tokens, END].slice(0, maximumTokens);
          return { tokens: said, logProbabilities: said.map(() => -0.1), noSpeechProbability: 0.25 };
        });
      };
    }
    if (advances) {
      batch.advance = async (rounds) => {
        fail("advance", rows.length);
        log.push(`advance ${rows.length}`);
        return rows.map((row) => {
          const tokens: number[] = [];
          for (let i = 0; i < rounds && !row.done; i++) {
            row.said++;
            tokens.push(next(row));
            row.done = tokens.at(-1) === END;
          }
          return { tokens, logProbabilities: tokens.map(() => -0.1) };
        });
      };
    }
    return batch;
  };
  const model: WhisperModel = {
    maxBatch,
    canAlign: true,
    async encode(mel) {
      fail("encode", 1);
      log.push(`encode ${mel[0]}`);
      return { batch: 1, text: mel[0], release() {} } as never;
    },
    async prefill() {
      return { state: { rows: 1, release() {} }, logits: new Float32Array(VOCABULARY) };
    },
    newBatch,
    async step() {
      throw new Error("not asked for");
    },
    async align() {
      throw new Error("no alignment today");
    },
    async close() {},
  };
  const runs: [rows: number, width: number][] = [];
  return { shared: new SharedModel(model, { onRun: (...run) => runs.push(run) }), log, runs };
}

const request = (more: Partial<DecodeRequest> = {}): DecodeRequest => ({
  ...{ prompt: [1], startPosition: 0, rules: [], inGraph: { suppress: new Float32Array(VOCABULARY) } },
  ...{ choose: () => chooseBest, maximumTokens: 100, endOfText: END },
  ...more,
});

/** A window's text: the token's digit, `length` times. */
async function hear(lane: WindowDecoder, text: number, signal = never, more: Partial<DecodeRequest> = {}) {
  const window = await lane.encode(async () => Float32Array.of(text), signal);
  try {
    return (await lane.decode(window, request(more), signal)).tokens;
  } finally {
    window.release();
  }
}
const said = (text: number) => Array(Math.floor(text / 10)).fill(text % 10);
const outOfMemory = () => new Error("Failed to allocate memory for requested buffer");

describe("a model that requests share", () => {
  test.each([true, false])(
    "says the same for a window alone, joined, and in any order (graph chooses: %s)",
    async (advances) => {
      const texts = [35, 4, 121, 502, 13, 74, 8, 1006].map((text) => Math.min(text, 306));
      const alone: number[][] = [];
      for (const text of texts) alone.push(await hear(scripted({ advances }).shared.lane("a"), text));
      expect(alone).toEqual(texts.map(said));
      for (const order of [texts, texts.toReversed()]) {
        const { shared, log } = scripted({ advances });
        const lane = shared.lane("a");
        expect(await Promise.all(order.map((text) => hear(lane, text)))).toEqual(order.map(said));
        // Windows did share runs.
        expect(log.some((line) => /(advance|step) [34]/.test(line))).toBe(true);
      }
    },
  );

  test("serves a short request between the windows of a long one", async () => {
    const { shared, log } = scripted({ maxBatch: 2 });
    const long = shared.lane("long");
    const windows = Array.from({ length: 12 }, () => hear(long, 205));
    const short = hear(shared.lane("short"), 37);
    expect(await short).toEqual(said(37));
    const before = log.indexOf("encode 37");
    expect(log.slice(0, before).filter((line) => line.startsWith("encode")).length).toBeLessThanOrEqual(3);
    await Promise.all(windows);
  });

  test("gives tenants equal shares, whoever has more requests, and what is urgent comes first", async () => {
    const { shared, log } = scripted({ maxBatch: 2 });
    const texts = (from: number) => [0, 1, 2].map((i) => 100 + 10 * i + from);
    const many = [1, 2, 3].map((digit) => shared.lane(`many-${digit}`, { tenant: "many", priority: 2 }));
    const one = shared.lane("one", { tenant: "one", priority: 2 });
    const urgent = shared.lane("urgent", { tenant: "many", priority: 1 });
    const late = shared.lane("late", { tenant: "late", priority: 3 });
    await Promise.all([
      hear(late, 109),
      ...many.flatMap((lane, i) => texts(i + 1).map((text) => hear(lane, text))),
      ...texts(7).map((text) => hear(one, text)),
      hear(urgent, 108),
    ]);
    const digits = log.filter((line) => line.startsWith("encode")).map((line) => Number(line.at(-1)));
    expect(digits[0]).toBe(8);
    expect(digits.at(-1)).toBe(9);
    // The tenant with one request has as many turns as the one with three.
    const turns = digits.slice(1, 7);
    expect(turns.filter((digit) => digit === 7)).toHaveLength(3);
    expect(new Set(turns).size).toBe(4);
    expect(digits).toHaveLength(14);
  });

  test("says how full its runs are", async () => {
    const { shared, runs } = scripted({ maxBatch: 4 });
    const lane = shared.lane("a");
    await Promise.all([305, 305, 305].map((text) => hear(lane, text)));
    expect(runs).toContainEqual([3, 4]);
    const told: unknown[] = [];
    let now = 0;
    const occupancy = countOccupancy(
      (shares) => told.push(shares),
      () => now,
    );
    for (const rows of [1, 2, 2]) occupancy.count(rows, 4);
    expect(told).toEqual([]);
    now = 1000;
    occupancy.count(4, 4);
    expect(told).toEqual([
      [
        [0.25, 1],
        [0.5, 2],
        [1, 1],
      ],
    ]);
    occupancy.tell();
    expect(told).toHaveLength(1);
  });

  test("drops the rows of a cancelled request, and the others do not notice", async () => {
    const { shared, log } = scripted();
    const controller = new AbortController();
    const cancelled = hear(shared.lane("a"), 990, controller.signal);
    const waiting = hear(shared.lane("a"), 20, controller.signal);
    const other = hear(shared.lane("b"), 305);
    await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    controller.abort(new Error("cancelled"));
    await expect(cancelled).rejects.toThrow("cancelled");
    await expect(waiting).rejects.toThrow("cancelled");
    expect(await other).toEqual(said(305));
    expect(log.at(-1)).toBe("advance 1");
  });

  test("goes on with half as many rows when memory runs out", async () => {
    const fail = (operation: string, rows: number) => {
      if (operation !== "encode" && rows > 1) throw outOfMemory();
    };
    const { shared } = scripted({ fail });
    const lane = shared.lane("a");
    expect(await Promise.all([35, 46, 57].map((text) => hear(lane, text)))).toEqual([35, 46, 57].map(said));
    expect(shared.width).toBe(1);
  });

  test("fails who is concerned where one row is too much, and only those", async () => {
    const broken = scripted({
      fail: () => {
        throw outOfMemory();
      },
    });
    await expect(hear(broken.shared.lane("a"), 35)).rejects.toThrow("allocate");
    let runs = 0;
    const { shared } = scripted({
      fail: (operation) => {
        if (operation === "advance" && runs++ === 0) throw new Error("broken once");
      },
    });
    await expect(hear(shared.lane("a"), 35)).rejects.toThrow("broken once");
    expect(await hear(shared.lane("a"), 35)).toEqual(said(35));
    const lane = shared.lane("b");
    const window = await lane.encode(async () => Float32Array.of(35), never);
    await expect(lane.align(window, [1], [], 5, never)).rejects.toThrow("no alignment today");
    expect(await lane.logitsAfter(window, [1], never)).toHaveLength(VOCABULARY);
    window.release();
    window.release();
    await expect(lane.encode(async () => Promise.reject(new Error("no samples")), never)).rejects.toThrow("no samples");
  });

  test("ends a text at its maximum, and one that goes round in circles", async () => {
    const { shared } = scripted();
    expect(await hear(shared.lane("a"), 995, never, { maximumTokens: 5 })).toHaveLength(5);
    const window = await shared.lane("a").encode(async () => Float32Array.of(995), never);
    const isLoop = (tokens: readonly number[]) => tokens.length >= 24;
    const raw = await shared.lane("a").decode(window, request({ isLoop }), never);
    expect(raw.looped).toBe(true);
    expect(raw.tokens).toHaveLength(24);
  });

  test("has whole windows decoded in one run where the graph goes all the way, and drops the cancelled behind it", async () => {
    const controller = new AbortController();
    const { shared, log, runs } = scripted({ whole: () => controller.abort(new Error("cancelled")) });
    const lane = shared.lane("a");
    const cancelled = hear(shared.lane("b"), 46, controller.signal);
    const texts = Promise.all([hear(lane, 35), hear(lane, 995, never, { maximumTokens: 7 })]);
    await expect(cancelled).rejects.toThrow("cancelled");
    expect(await texts).toEqual([said(35), said(75)]);
    expect(log.filter((line) => line.startsWith("whole"))).toEqual(["whole 3"]);
    expect(runs).toEqual([[3, 4]]);
    const window = await lane.encode(async () => Float32Array.of(995), never);
    const raw = await lane.decode(window, request({ isLoop: (tokens) => tokens.length >= 24 }), never);
    expect(raw).toMatchObject({ looped: true, noSpeechProbability: 0.25 });
    expect(raw.tokens).toHaveLength(24);
    // What the graph cannot choose goes by steps.
    expect(await hear(lane, 35, never, { inGraph: undefined })).toEqual(said(35));
    expect(log.at(-1)).toBe("step 1");
  });
});
