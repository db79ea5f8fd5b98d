import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { tether } from "./tether.ts";
import { waitFor } from "./wait-for.ts";

export type TestRedis = {
  url: string;
  port: number;
  /** SIGKILL, as a crash; `restart` brings it back on the same port with what it had written down. */
  kill(): Promise<void>;
  /** Stops answering without closing connections (SIGSTOP), until `resume`. */
  pause(): void;
  resume(): void;
  restart(): Promise<void>;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
};

/**
 * Starts `redis-server` (for `*.tools.test.ts` only) on a free port. `persistence`: "none" forgets all at a restart,
 * "aof" writes down every command before it answers. It ends with this process.
 */
export async function startTestRedis(
  options: { persistence?: "none" | "aof"; config?: Record<string, string> } = {},
): Promise<TestRedis> {
  const folder = mkdtempSync(join(tmpdir(), "scribe-redis-"));
  const port = await freePort();
  const settings: Record<string, string> = {
    port: String(port),
    bind: "127.0.0.1",
    dir: folder,
    save: "",
    appendonly: options.persistence === "aof" ? "yes" : "no",
    appendfsync: "always",
    "maxmemory-policy": "noeviction",
    ...options.config,
  };
  const forget = () => rmSync(folder, { recursive: true, force: true });
  let child = await launch().catch((error) => {
    forget();
    throw error;
  });

  async function launch() {
    const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
    const started = spawn("redis-server", args, { detached: true, stdio: ["ignore", "pipe", "pipe"] });
    tether(started);
    let said = "";
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-2_000);
    };
    started.stdout.on("data", listen);
    started.stderr.on("data", listen);
    started.on("error", (error) => listen(Buffer.from(error.message)));
    try {
      await waitFor(() => started.exitCode !== null || started.pid === undefined || answers(port), {
        what: "redis-server",
      });
    } catch (error) {
      started.kill("SIGKILL");
      throw error;
    }
    if (started.exitCode !== null || started.pid === undefined) throw new Error(`redis-server did not start: ${said}`);
    return started;
  }

  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill,
    pause: () => void child.kill("SIGSTOP"),
    resume: () => void child.kill("SIGCONT"),
    async restart() {
      await kill();
      child = await launch();
    },
    async stop() {
      await kill();
      forget();
    },
  };
}

/** Whether a Redis answers PING there; one that still loads its file does not yet. */
function answers(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const finish = (value: boolean) => {
      socket.destroy();
      done(value);
    };
    socket.once("data", (data) => finish(data.toString().startsWith("+PONG")));
    socket.once("error", () => finish(false));
    socket.setTimeout(1_000, () => finish(false));
  });
}
