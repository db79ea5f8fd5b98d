import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Attack, Broken } from "../attack.ts";
import { percentile } from "../percentile.ts";
import type { Stage } from "../stage/open-stage.ts";

/** Attackers come from here, as everybody else comes from 127.0.0.1: a limit by address can tell them apart. */
const ATTACKER = "127.0.0.3";
const REQUEST_EVERY_MS = 25;
const SECONDS = 15;
const SHORT_SECONDS = 2;
const FACTOR = 5;
/** Below this a slow answer is the machine's doing: the same run unattacked is measured on the same, shared cores. */
const FLOOR_MS = 25;

interface Assault {
  name: string;
  begin(at: { host: string; port: number; key: string; short: boolean }): { stop(): void; sent(): number };
}

export const exhaustion: Attack = {
  name: "exhaustion",
  what: "slowloris, slow bodies, connection flood, header bombs, forms of many parts, long URLs",
  mustHold: "0 failures of others; p99 at most 5 times that of the same run unattacked",
  async run(stage) {
    const broken = new Broken();
    const seconds = stage.short ? SHORT_SECONDS : SECONDS;
    const { hostname: host, port } = new URL(stage.stack.url);
    const attacker = await stage.makeKey(["transcribe"]);
    await victims(stage, 2);
    const calm = await victims(stage, seconds);
    if (calm.failures > 0) broken.add(`${calm.failures} failures unattacked`);
    const allowed = Math.max(calm.p99 * FACTOR, FLOOR_MS);
    const seen = [`unattacked p99 ${calm.p99.toFixed(1)} ms`];
    let count = 0;
    for (const assault of ASSAULTS) {
      const { stop, sent } = assault.begin({ host, port: Number(port), key: attacker.key, short: stage.short });
      await sleep(500);
      const { p99, failures, requests } = await victims(stage, seconds);
      stop();
      count += sent();
      seen.push(`${assault.name} (${sent()}) ${p99.toFixed(1)} ms`);
      if (failures > 0) broken.add(`${assault.name}: ${failures} of ${requests} requests of others failed`);
      if (!stage.short && p99 > allowed)
        broken.add(`${assault.name}: p99 ${p99.toFixed(1)} ms, ${allowed.toFixed(1)} allowed`);
      await sleep(500);
    }
    for (const crash of stage.crashes()) broken.add(crash);
    return { count, seen: seen.join(", "), broken: broken.list };
  },
};

/** A reader at a steady pace, whatever the answers take. */
async function victims(stage: Stage, seconds: number) {
  const times: number[] = [];
  let failures = 0;
  const open: Promise<void>[] = [];
  for (let at = 0; at < (seconds * 1000) / REQUEST_EVERY_MS; at++) {
    const startedAt = performance.now();
    open.push(
      stage.call("/api/v1/models").then(
        ({ status }) => {
          times.push(performance.now() - startedAt);
          if (status !== 200) failures += 1;
        },
        () => {
          failures += 1;
        },
      ),
    );
    await sleep(REQUEST_EVERY_MS);
  }
  await Promise.all(open);
  return { p99: percentile(times, 0.99), failures, requests: open.length };
}

type Target = Parameters<Assault["begin"]>[0];

/** Keeps so many connections that each do `greet` when they open and `drip` every now and then; lost ones come again. */
function keepOpen(
  target: Target,
  connections: number,
  greet: (socket: Socket) => void,
  drip?: { everyMs: number; what: (socket: Socket) => void },
) {
  const sockets = new Set<Socket>();
  let sent = 0;
  let stopped = false;
  const open = () => {
    if (stopped || sockets.size >= connections) return;
    const socket = connect({ host: target.host, port: target.port, localAddress: ATTACKER });
    sockets.add(socket);
    sent += 1;
    socket.on("error", () => undefined);
    socket.on("data", () => undefined);
    socket.once("connect", () => greet(socket));
    socket.once("close", () => {
      sockets.delete(socket);
      setTimeout(open, 50);
    });
  };
  for (let at = 0; at < connections; at++) open();
  const timer =
    drip &&
    setInterval(() => {
      for (const socket of sockets) if (socket.writable) drip.what(socket);
    }, drip.everyMs);
  return {
    sent: () => sent,
    stop() {
      stopped = true;
      clearInterval(timer);
      for (const socket of sockets) socket.destroy();
    },
  };
}

const many = (target: Target, count: number) => (target.short ? Math.ceil(count / 5) : count);

const ASSAULTS: readonly Assault[] = [
  {
    name: "slowloris",
    begin: (target) =>
      keepOpen(target, many(target, 600), (socket) => socket.write("GET /api/v1/jobs HTTP/1.1\r\nHost: x\r\n"), {
        everyMs: 500,
        what: (socket) => socket.write("X-A: b\r\n"),
      }),
  },
  {
    name: "slow JSON bodies",
    begin: (target) =>
      keepOpen(
        target,
        many(target, 300),
        (socket) =>
          socket.write(
            `POST /api/v1/transcribe HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.key}\r\n` +
              "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{",
          ),
        { everyMs: 500, what: (socket) => socket.write(" ") },
      ),
  },
  {
    name: "slow uploads",
    begin: (target) =>
      keepOpen(
        target,
        many(target, 200),
        (socket) =>
          socket.write(
            `POST /api/v1/transcribe/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.key}\r\n` +
              "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000000\r\n\r\n" +
              '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\nRIFF',
          ),
        { everyMs: 500, what: (socket) => socket.write("\0") },
      ),
  },
  { name: "connection flood", begin: (target) => keepOpen(target, many(target, 1_000), () => undefined) },
  {
    name: "header bombs",
    begin: (target) =>
      keepOpen(target, many(target, 25), (socket) =>
        socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${`X-${"a".repeat(60)}: ${"b".repeat(60)}\r\n`.repeat(500)}`),
      ),
  },
  {
    name: "long URLs",
    begin: (target) =>
      keepOpen(target, many(target, 10), (socket) =>
        socket.end(`GET /api/v1/jobs?${"a=b&".repeat(3_500)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
      ),
  },
  {
    name: "forms of 10,000 parts",
    begin: (target) =>
      keepOpen(target, many(target, 5), (socket) => {
        const part = '--b\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n';
        const body = part.repeat(10_000);
        socket.end(
          `POST /api/v1/transcribe/upload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${target.key}\r\nConnection: close\r\n` +
            `Content-Type: multipart/form-data; boundary=b\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
      }),
  },
];
