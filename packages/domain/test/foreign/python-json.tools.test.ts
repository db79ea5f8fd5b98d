import { execFileSync } from "node:child_process";
import { expect, test } from "@jest/globals";
import { pythonJson } from "../../src/foreign/python-json.ts";

/** A generator of its own, so that a failure can be repeated. */
function* numbers(seed: number) {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

test("Python writes the same bytes of what it parses", () => {
  const next = numbers(7);
  const draw = () => next.next().value as number;
  const values = Array.from({ length: 500 }, () => ({
    float: (draw() - 0.5) * 10 ** Math.floor(draw() * 30 - 15),
    text: String.fromCodePoint(...Array.from({ length: 5 }, () => Math.floor(draw() * 0xd7ff))),
    wide: String.fromCodePoint(0x10000 + Math.floor(draw() * 0xfffff)),
    [String.fromCodePoint(0xe000 + Math.floor(draw() * 0x1000))]: Math.floor(draw() * 1e9),
  }));
  const script = "import json,sys\nfor line in sys.stdin: print(json.dumps(json.loads(line), sort_keys=True))";
  const lines = values.map((value) => JSON.stringify(value)).join("\n");
  const written = execFileSync("python3", ["-c", script], { input: lines, encoding: "utf8" }).trimEnd().split("\n");
  expect(values.map(pythonJson)).toEqual(written);
});
