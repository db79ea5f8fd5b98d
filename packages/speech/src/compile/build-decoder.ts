import { chooseToken, type Vocabulary } from "./build-token-choice.ts";
import { type CrossForm, crossShape, lookAcross, takeCross } from "./cross-attention.ts";
import { decoderLayers, embed } from "./decoder-layers.ts";
import { type GraphBuilder, MICROSOFT, TYPES } from "./graph-builder.ts";
import type { NetworkWeights } from "./network-weights.ts";
import { type Arithmetic, Projections } from "./projection.ts";
import { sayNext } from "./say-next.ts";

export type DecoderOptions = { arithmetic: Arithmetic; vocabulary: Vocabulary; cross: CrossForm };

/**
 * The decoder as a loop over tokens. Rows are ragged: each has its own past and its own number of new ids. In:
 * - `steps` int64: how many rounds to run at most; `wants_logits` bool
 * - `ids` int32 `[rows, new]`, padded at the end; `counts` int32 `[rows]`: how many of them are a row's own
 * - `at` int32 `[rows, places]`: the ids after which logits are wanted; the next token follows the last place
 * - `past` int32 `[rows]`: tokens whose keys and values are held
 * - `last`, `last_but_one`, `latest` int32 `[rows]`, `timed` and `done` bool `[rows]`: see `chooseToken`
 * - `suppress_text` and `suppress_rest` fp32, for each row or one for all: added to the logits that a token is chosen by
 * - `key.i`, `value.i` `[rows, heads, capacity, headSize]`, a row's tokens from 0 on; the keys and values of the
 *   audio, as `cross` says
 *
 * Out: `tokens` int32 and `log_probabilities` fp32 `[rounds, rows]` (rows that are done give the end of text), `logits`
 * `[1, rows, places, vocabulary]` where wanted, and the state after the last round under `next_*`.
 * The first round takes the ids; each later one takes the token that the one before chose.
 */
export function buildDecoder(g: GraphBuilder, weights: NetworkWeights, options: DecoderOptions) {
  const { config } = weights;
  const { vocabulary } = options;
  const heads = config.decoder_attention_heads;
  const headSize = config.d_model / heads;
  const layers = Array.from({ length: config.decoder_layers }, (_, i) => i);

  const steps = g.input("steps", "int64", []);
  g.input("wants_logits", "bool", []);
  const carried = [
    g.input("ids", "int32", ["rows", "new"]),
    g.input("counts", "int32", ["rows"]),
    g.input("at", "int32", ["rows", "places"]),
    g.input("past", "int32", ["rows"]),
    g.input("done", "bool", ["rows"]),
    g.input("last", "int32", ["rows"]),
    g.input("last_but_one", "int32", ["rows"]),
    g.input("latest", "int32", ["rows"]),
  ];
  g.input("timed", "bool", ["rows"]);
  const timed = g.op("Unsqueeze", ["timed", g.ids(-1)]);
  g.input("suppress_text", "float32", ["suppressed", vocabulary.endOfText]);
  g.input("suppress_rest", "float32", ["suppressed", vocabulary.size - vocabulary.endOfText]);
  const cache = ["rows", heads, "capacity", headSize];
  for (const i of layers) {
    for (const kind of ["key", "value"]) carried.push(g.input(`${kind}.${i}`, "float32", cache));
  }
  takeCross(g, options.cross, crossShape(config), config.decoder_layers, "rows");

  const body = buildRound(g, weights, options, timed);
  const results = g.ops("Loop", [steps, g.constant("bool", [1], []), ...carried], carried.length + 3, {
    attributes: { body },
    outputs: [...carried.map((name) => `next_${name}`), "tokens", "log_probabilities", "logits"],
  });
  const states = ["past", "done", "last", "last_but_one", "latest"];
  for (const name of states) g.output(`next_${name}`, `next_${name}`, name === "done" ? "bool" : "int32", ["rows"]);
  for (const i of layers) {
    for (const kind of ["key", "value"]) g.output(`next_${kind}.${i}`, `next_${kind}.${i}`, "float32", cache);
  }
  g.output("tokens", results.at(-3) ?? "", "int32", ["rounds", "rows"]);
  g.output("log_probabilities", results.at(-2) ?? "", "float32", ["rounds", "rows"]);
  g.output("logits", results.at(-1) ?? "", "float32", ["rounds", "rows", "places", "size"]);
}

/** The body of the loop. */
function buildRound(outer: GraphBuilder, weights: NetworkWeights, options: DecoderOptions, timed: string) {
  const { config } = weights;
  const { vocabulary, arithmetic } = options;
  const heads = config.decoder_attention_heads;
  const headSize = config.d_model / heads;
  const width = config.d_model;
  const g = outer.subgraph("round");
  const multiply = new Projections(g, arithmetic);
  const int32 = (value: number) => g.constant("int32", [value], []);
  const toInt32 = (x: string) => g.op("Cast", [x], { attributes: { to: { int: TYPES.int32 } } });

  g.input("round", "int64", []);
  g.input("go_on", "bool", []);
  const names = ["ids", "counts", "at", "past", "done", "last", "last_but_one", "latest"];
  const dims = [["rows", "new"], ["rows"], ["rows", "places"], ["rows"], ["rows"], ["rows"], ["rows"], ["rows"]];
  const [ids, counts, at, past, done, last, lastButOne, latest] = names.map((name, i) =>
    g.input(`round.${name}`, name === "done" ? "bool" : "int32", dims[i]),
  );
  const cacheDims = ["rows", heads, "capacity", headSize];
  const layers = Array.from({ length: config.decoder_layers }, (_, i) => i);
  const cacheIn = layers.map((i) => ["key", "value"].map((k) => g.input(`round.${k}.${i}`, "float32", cacheDims)));

  const rows = g.op("Shape", [ids], { attributes: { start: { int: 0 }, end: { int: 1 } } });
  const length = g.op("Shape", [ids], { attributes: { start: { int: 1 }, end: { int: 2 } } });
  const scalar = (x: string) => g.op("Squeeze", [x]);
  const newPlaces = g.op("Range", [int32(0), toInt32(scalar(length)), int32(1)]);
  // What stands behind a row's own ids must still have a position that exists.
  const positions = g.op("Min", [
    g.op("Add", [g.op("Unsqueeze", [past, g.ids(1)]), newPlaces]),
    int32(config.max_target_positions - 1),
  ]);

  const total = g.op("Add", [past, counts]);
  const lastPlace = g.op("Sub", [total, int32(1)]);
  const longest = g.op("ReduceMax", [total, g.ids(0)], { attributes: { keepdims: { int: 0 } } });
  const cacheOut: string[] = [];
  const { normed, toLogits } = decoderLayers(g, weights, multiply, {
    stream: embed(g, weights, ids, positions, arithmetic),
    cut: vocabulary.endOfText,
    attend: (joined, i) => {
      const attended = g.ops("GroupQueryAttention", [joined, "", "", ...cacheIn[i], lastPlace, longest], 3, {
        domain: MICROSOFT,
        attributes: { num_heads: { int: heads }, kv_num_heads: { int: heads } },
      });
      cacheOut.push(attended[1], attended[2]);
      return attended[0];
    },
    look: (query, i) => lookAcross(g, options.cross, crossShape(config), query, i),
  });

  // Only the hidden states after which logits are wanted meet the vocabulary.
  const rowStarts = g.op("Mul", [g.op("Range", [int32(0), toInt32(scalar(rows)), int32(1)]), toInt32(length)]);
  const flat = g.op("Reshape", [normed, g.ids(-1, width)]);
  const wanted = g.op("Gather", [flat, g.op("Add", [g.op("Unsqueeze", [rowStarts, g.ids(1)]), at])]);
  const { text, rest, logits } = sayNext(g, weights, multiply, { wanted, toLogits, vocabulary, arithmetic });
  const chosen = chooseToken(g, vocabulary, { text, rest }, timed, { last, lastButOne, latestTimestamp: latest });
  const end = int32(vocabulary.endOfText);
  const token = g.op("Where", [done, end, chosen.token]);
  const nowDone = g.op("Or", [done, g.op("Equal", [token, end])]);
  const undone = g.op("ReduceMax", [toInt32(g.op("Not", [nowDone])), g.ids(0)], {
    attributes: { keepdims: { int: 0 } },
  });
  g.output("round.again", g.op("Cast", [undone], { attributes: { to: { int: TYPES.bool } } }), "bool", []);
  const column = g.op("Unsqueeze", [token, g.ids(1)]);
  g.output("round.next_ids", column, "int32", ["rows", 1]);
  g.output("round.next_counts", g.op("Expand", [int32(1), rows]), "int32", ["rows"]);
  g.output("round.next_at", g.op("Expand", [int32(0), g.op("Concat", [rows, g.ids(1)], axis0)]), "int32", ["rows", 1]);
  // A row that is done stays where it is: it may sit at the very end of its context.
  g.output("round.next_past", g.op("Min", [total, int32(config.max_target_positions - 1)]), "int32", ["rows"]);
  g.output("round.next_done", nowDone, "bool", ["rows"]);
  g.output("round.next_last", token, "int32", ["rows"]);
  g.output("round.next_last_but_one", last, "int32", ["rows"]);
  g.output("round.next_latest", chosen.history.latestTimestamp, "int32", ["rows"]);
  for (const [i, name] of cacheOut.entries()) g.output(`round.next_cache.${i}`, name, "float32", cacheDims);
  g.output("round.token", token, "int32", ["rows"]);
  g.output("round.log_probability", chosen.logProbability, "float32", ["rows"]);
  g.output("round.logits", logits, "float32", ["rows", "places", "size"]);
  return g;
}

const axis0 = { attributes: { axis: { int: 0 } } };
