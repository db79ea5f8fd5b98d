import { connect, type Socket } from "node:net";

/** Attackers come from here, as everybody else comes from 127.0.0.1: a limit by address can tell them apart. */
const ATTACKER = "127.0.0.3";
/** A connection that was closed comes again after this. */
const AGAIN_MS = 250;

export interface Target {
  host: string;
  port: number;
  key: string;
  short: boolean;
}

interface Assault {
  name: string;
  begin(target: Target): { stop(): void; sent(): number };
}

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
      setTimeout(open, AGAIN_MS);
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

export const ASSAULTS: readonly Assault[] = [
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
