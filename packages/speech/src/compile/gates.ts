import { type GraphBuilder, TYPES } from "./graph-builder.ts";

/** What the rules of decoding compute with, on bool and fp32 tensors that broadcast. */
export type Gates = {
  and(a: string, b: string): string;
  or(a: string, b: string): string;
  larger(a: string, b: string): string;
  /** The largest value along the last axis (`size` long) and the first place that has it, int32; `[…, 1]` both. */
  best(x: string, size: number): { top: string; place: string };
  /** The first place along the last axis (`size` long) of its largest value `top` `[…, 1]`, int32 `[…, 1]`. */
  placeOf(x: string, top: string, size: number): string;
};

const cast = (g: GraphBuilder, x: string, type: "int32" | "float32") =>
  g.op("Cast", [x], { attributes: { to: { int: TYPES[type] } } });

/** By onnx' operators for each. */
export function onnxGates(g: GraphBuilder): Gates {
  const ofLast = { attributes: { axis: { int: -1 }, keepdims: { int: 1 } } };
  return {
    and: (a, b) => g.op("And", [a, b]),
    or: (a, b) => g.op("Or", [a, b]),
    larger: (a, b) => g.op("Max", [a, b]),
    best(x) {
      // Half the time of ReduceMax and ArgMax.
      const [top, place] = g.ops("TopK", [x, g.ids(1)], 2);
      return { top, place: cast(g, place, "int32") };
    },
    placeOf: (x) => cast(g, g.op("ArgMax", [x], ofLast), "int32"),
  };
}

/** By operators that GPUs' providers have: WebGPU knows no And, Or and Max; CUDA no ArgMax after version 11; both lack int64. */
export function arithmeticGates(g: GraphBuilder): Gates {
  const number = (x: string) => cast(g, x, "float32");
  const keep = { attributes: { keepdims: { int: 1 } } };
  const holds = (x: string) => g.op("Greater", [x, g.float(0.5)]);
  const placeOf = (x: string, top: string, size: number) => {
    // Whole numbers below 2^24 are exact in fp32.
    const places = g.constant(
      "float32",
      Array.from({ length: size }, (_, i) => i),
    );
    const there = g.op("Where", [g.op("Equal", [x, top]), places, g.float(size)]);
    return cast(g, g.op("ReduceMin", [there, g.ids(-1)], keep), "int32");
  };
  return {
    and: (a, b) => holds(g.op("Mul", [number(a), number(b)])),
    or: (a, b) => holds(g.op("Add", [number(a), number(b)])),
    larger: (a, b) => g.op("Where", [g.op("Greater", [a, b]), a, b]),
    best(x, size) {
      const top = g.op("ReduceMax", [x, g.ids(-1)], keep);
      return { top, place: placeOf(x, top, size) };
    },
    placeOf,
  };
}
