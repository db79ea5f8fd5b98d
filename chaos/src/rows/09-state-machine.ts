import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { type Row, scaled } from "../row.ts";

const ROOT = resolve(import.meta.dirname, "../../..");

/** Random lives of a job, through the doors that workers use, against a model of it. */
export const stateMachine: Row = {
  number: 9,
  fault: "random lives against a model (fast-check)",
  async run(options) {
    const runs = scaled(10_000, options, 100);
    const jest = resolve(ROOT, "node_modules/jest/bin/jest.js");
    const args = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning", jest, "job-model"];
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { ...process.env, MODEL_RUNS: String(runs) },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    const [code] = (await once(child, "exit")) as [number | null];
    const unexpected = code === 0 ? [] : [output.slice(-3000)];
    return { jobs: runs, lost: 0, duplicated: 0, recovered: 0, unexpected, faults: runs, notes: [] };
  },
};
