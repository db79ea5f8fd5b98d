import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { createServer as createTcpServer } from "node:net";
import { waitFor } from "@scribe/testing";
import { type Row, scaled } from "../row.ts";
import { allEnded, judge, newLedger, submit, submitMany } from "../stage/ledger.ts";
import { openStage, type Stage } from "../stage/open-stage.ts";

const KINDS = ["500", "hang", "huge", "redirect", "tls", "410", "drip", "healthy"] as const;
type Kind = (typeof KINDS)[number];
const SCHEDULE = [1, 2, 3];
/** A try takes 15 s at most, and the schedule is used up after four. */
const TRY_LIMIT_MS = 15_000;
/** Of two workers together. */
const GROWTH_LIMIT_BYTES = 64 * 1024 * 1024;
/** A heap that may have gigabytes is swept late, and then each worker grows by what it happens to have read. */
const SMALL_HEAP = ["--max-old-space-size=128"];
const WARM_UP_JOBS = 50;

/** Receivers that misbehave in every way. Jobs are not held up, the schedule is kept, and memory does not grow. */
export const badReceivers: Row = {
  number: 7,
  fault: "receivers: 500, hang, huge, redirect, TLS, 410, drip",
  async run(options) {
    const stage = await openStage({
      backend: options.backend,
      workers: 2,
      env: { WEBHOOK_RETRY_SCHEDULE: SCHEDULE.join(",") },
    });
    const ledger = newLedger();
    const bad = await startBadReceiver();
    const unexpected: string[] = [];
    try {
      for (const [place, worker] of [...stage.workers.entries()]) {
        await worker.kill();
        await stage.startWorker(place, { nodeArgs: SMALL_HEAP });
      }
      const events = scaled(200, options, 16);
      // Code is compiled and pools are filled by what goes well; what comes after must not add to it.
      await submitMany(stage, ledger, WARM_UP_JOBS, () => ({ windows: 2, delayMs: 0 }));
      await waitFor(async () => ledger.accepted.size === WARM_UP_JOBS && (await pending(stage)) === 0, {
        timeoutMs: 60_000,
        what: "the warm-up",
      });
      await allEnded(stage, ledger, 60_000);
      const before = residentBytes(stage);
      const kindOf = new Map<string, Kind>();
      const startedAt = performance.now();
      for (let n = 0; n < events; n++) {
        const kind = KINDS[n % KINDS.length]!;
        // Paths differ, so that four at once an endpoint does not stretch the row to an hour; 410 shares one.
        const path = kind === "410" ? "/410" : `/${kind}/${n}`;
        const hook = kind === "tls" ? `https://127.0.0.1:${bad.tlsPort}${path}` : `${bad.url}${path}`;
        const id = await submit(stage, ledger, { windows: 2, delayMs: 50 }, { webhook_url: hook });
        kindOf.set(id, kind);
      }
      await allEnded(stage, ledger, 120_000);
      const jobsTookMs = performance.now() - startedAt;
      const deadlineMs = (SCHEDULE.length + 1) * TRY_LIMIT_MS + 60_000 + (events / 64) * TRY_LIMIT_MS;
      await waitFor(async () => (await pending(stage)) === 0, { timeoutMs: deadlineMs, everyMs: 500 }).catch(() =>
        unexpected.push("deliveries are still pending after their schedule"),
      );
      const grown = residentBytes(stage) - before;
      if (grown > GROWTH_LIMIT_BYTES) unexpected.push(`the workers grew by ${Math.round(grown / 2 ** 20)} MiB`);
      const verdict = await judge(stage, ledger, { webhooks: false });
      unexpected.push(...(await checkLog(stage, kindOf)));
      return {
        ...verdict,
        unexpected: [...verdict.unexpected, ...unexpected],
        faults: Math.round((events * (KINDS.length - 1)) / KINDS.length),
        notes: [
          `all ${events} jobs ended within ${(jobsTookMs / 1000).toFixed(1)} s, whatever their receivers did`,
          `both workers together grew by ${Math.round(grown / 2 ** 20)} MiB`,
        ],
      };
    } finally {
      await bad.close();
      await stage.close();
    }
  },
};

async function pending(stage: Stage): Promise<number> {
  const { rows } = await stage.pool.query<{ count: number }>(
    "SELECT count(*)::int AS count FROM webhook_deliveries WHERE status = 'pending'",
  );
  return rows[0]!.count;
}

const TRIES = SCHEDULE.length + 1;
const EXPECTED: Record<Kind, { status: readonly string[]; tries: number }> = {
  "500": { status: ["failed"], tries: TRIES },
  hang: { status: ["failed"], tries: TRIES },
  huge: { status: ["delivered"], tries: 1 },
  redirect: { status: ["failed"], tries: TRIES },
  tls: { status: ["failed"], tries: TRIES },
  // The first ones that were under way together were each told; the rest is skipped.
  "410": { status: ["failed", "skipped"], tries: 1 },
  // Its status has come; that its body drips takes nothing back.
  drip: { status: ["delivered"], tries: 1 },
  healthy: { status: ["delivered"], tries: 1 },
};

/** Each delivery's end, its tries, and that no try came sooner than the schedule says. */
async function checkLog(stage: Stage, kindOf: ReadonlyMap<string, Kind>): Promise<string[]> {
  const { rows } = await stage.pool.query<{ job: string; status: string; tries: { at: string; ms: number }[] }>(
    `SELECT job_id AS job, status, coalesce((
       SELECT jsonb_agg(jsonb_build_object('at', at, 'ms', duration_ms) ORDER BY at) FROM webhook_attempts WHERE delivery_id = d.id
     ), '[]') AS tries FROM webhook_deliveries AS d`,
  );
  const wrong: string[] = [];
  for (const { job, status, tries } of rows) {
    const kind = kindOf.get(job) ?? "healthy";
    const expected = EXPECTED[kind];
    const count = status === "skipped" ? tries.length <= 1 : tries.length === expected.tries;
    if (!expected.status.includes(status) || !count) wrong.push(`${kind}: ${status} after ${tries.length} tries`);
    for (let n = 1; n < tries.length; n++) {
      const waited = (Date.parse(tries[n]!.at) - tries[n]!.ms - Date.parse(tries[n - 1]!.at)) / 1000;
      if (waited < SCHEDULE[n - 1]! - 0.1) wrong.push(`${kind}: try ${n + 1} came after ${waited.toFixed(2)} s`);
    }
  }
  return wrong;
}

function residentBytes({ workers }: Stage): number {
  return workers.reduce((sum, { pid }) => {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
    return sum + Number(match?.[1] ?? 0) * 1024;
  }, 0);
}

async function startBadReceiver(): Promise<{ url: string; tlsPort: number; close(): Promise<void> }> {
  const chunk = Buffer.alloc(64 * 1024, "x");
  const timers = new Set<NodeJS.Timeout>();
  const http = createServer((request, response) => {
    request.resume();
    switch (request.url?.split("/")[1]) {
      case "500":
        return void response.writeHead(500).end("no");
      case "hang":
        return;
      case "huge": {
        response.writeHead(200);
        const more = () => {
          while (!response.destroyed && response.write(chunk));
        };
        response.on("drain", more);
        return more();
      }
      case "redirect":
        return void response.writeHead(302, { location: "http://127.0.0.1:9/" }).end();
      case "410":
        return void response.writeHead(410).end();
      case "drip": {
        response.writeHead(200);
        const timer = setInterval(() => response.write("x"), 500);
        timers.add(timer);
        return void response.on("close", () => clearInterval(timer));
      }
      default:
        return void response.writeHead(204).end();
    }
  });
  // Speaks no TLS: it answers the greeting with plain words.
  const plain = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
  });
  const [port, tlsPort] = [await listen(http), await listen(plain as unknown as Server)];
  return {
    url: `http://127.0.0.1:${port}`,
    tlsPort,
    async close() {
      for (const timer of timers) clearInterval(timer);
      http.closeAllConnections();
      await Promise.all([http, plain].map((server) => new Promise<void>((done) => server.close(() => done()))));
    },
  };
}

function listen(server: Server): Promise<number> {
  return new Promise((done) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      done(typeof address === "object" && address ? address.port : 0);
    });
  });
}
