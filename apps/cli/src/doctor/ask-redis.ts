import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

const LIMIT_MS = 5_000;

/**
 * Sends commands to the Redis of `url` and answers with their replies, one text each (lists joined by blanks). RESP2, and
 * of it what simple commands need; a reply that is an error rejects.
 */
export async function askRedis(url: string, commands: readonly string[][]): Promise<string[]> {
  const { protocol, hostname, port, username, password } = new URL(url);
  const credentials = [username, password].map(decodeURIComponent).filter((part) => part !== "");
  const all = credentials.length > 0 ? [["AUTH", ...credentials], ...commands] : [...commands];
  const host = hostname.replace(/^\[|\]$/g, "");
  const where = { host, port: Number(port || 6379) };
  const socket: Socket = protocol === "rediss:" ? connectTls({ ...where, servername: host }) : connectTcp(where);
  try {
    return await new Promise((resolve, reject) => {
      let received = "";
      socket.setTimeout(LIMIT_MS, () => reject(new Error("Redis does not answer in time")));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("Redis closed the connection")));
      socket.setEncoding("utf8").on("data", (text: string) => {
        received += text;
        try {
          const replies = readReplies(received, all.length);
          if (replies) resolve(replies.slice(all.length - commands.length));
        } catch (error) {
          reject(error);
        }
      });
      socket.write(all.map(encode).join(""));
    });
  } finally {
    socket.destroy();
  }
}

function encode(parts: readonly string[]): string {
  return `*${parts.length}\r\n${parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`).join("")}`;
}

/** The first `count` replies, or null where they have not all come. Replies of ASCII only. */
function readReplies(text: string, count: number): string[] | null {
  let at = 0;
  const line = (): string | null => {
    const end = text.indexOf("\r\n", at);
    if (end < 0) return null;
    const found = text.slice(at, end);
    at = end + 2;
    return found;
  };
  const reply = (): string | null => {
    const head = line();
    if (head === null) return null;
    const rest = head.slice(1);
    if (head[0] === "-") throw new Error(rest);
    if (head[0] === "$") {
      if (rest === "-1") return "";
      if (text.length < at + Number(rest) + 2) return null;
      const value = text.slice(at, at + Number(rest));
      at += Number(rest) + 2;
      return value;
    }
    if (head[0] !== "*") return rest;
    const items: string[] = [];
    for (let n = 0; n < Number(rest); n++) {
      const item = reply();
      if (item === null) return null;
      items.push(item);
    }
    return items.join(" ");
  };
  const replies: string[] = [];
  while (replies.length < count) {
    const next = reply();
    if (next === null) return null;
    replies.push(next);
  }
  return replies;
}
