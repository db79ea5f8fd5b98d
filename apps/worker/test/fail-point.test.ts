import { expect, test } from "@jest/globals";
import { armFailPoints, type FailPoint } from "../src/fail-point.ts";

function killsOf(text: string | undefined, points: FailPoint[], random = () => 0.5): number[] {
  const kills: number[] = [];
  let at = 0;
  const fail = armFailPoints(text, { random, kill: () => void kills.push(at) });
  for (at = 0; at < points.length; at++) fail(points[at]!);
  return kills;
}

test("fail points do nothing unless they are armed", () => {
  expect(killsOf(undefined, ["after-claim", "after-commit"])).toEqual([]);
  expect(killsOf("after-claim=1", ["after-commit"])).toEqual([]);
});

test("fail points kill by probability or at the nth passage", () => {
  expect(killsOf("after-claim=0.6, after-window=0.4", ["after-claim", "after-window"])).toEqual([0]);
  expect(killsOf("after-window#2", ["after-window", "after-window", "after-window"])).toEqual([1]);
});

test.each(["after-lunch=1", "after-claim", "after-claim=x"])("a fail point that reads %j is refused", (text) => {
  expect(() => armFailPoints(text)).toThrow("SCRIBE_FAILPOINTS");
});
