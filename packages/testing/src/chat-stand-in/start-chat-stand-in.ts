import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { answerAsObedientModel, type ChatMessages } from "./obedient-model.ts";

/** What the stand-in does instead of answering as it should. */
export type ChatFault =
  | { status: number; headers?: Record<string, string> }
  /** Half of the answer's bytes, then the connection is gone. */
  | "cut"
  /** Whole, and no JSON. */
  | "garble"
  /** A good envelope around a text that holds to no schema. */
  | "break-schema"
  /** The model's text ends in the middle, for its length. */
  | "too-long"
  | "hang";

export interface ChatCall {
  authorization: string | undefined;
  body: ChatMessages & { model: string; max_tokens?: number };
  bytes: number;
}

export interface ChatStandIn {
  /** What ENHANCED_AI_BASE_URL names. */
  baseUrl: string;
  calls: ChatCall[];
  /** Forms of answers that it refuses with 400, as older servers do. */
  refuses: Set<string>;
  /** Called with each request; what it gives is the answer in place of the rules'. */
  answer: ((call: ChatCall) => unknown) | undefined;
  /** The next `times` requests, after `after` good ones, go wrong. */
  fail(fault: ChatFault, options?: { times?: number; after?: number }): void;
  stop(): Promise<void>;
}

/** A stand-in for an OpenAI-compatible chat endpoint: it speaks the protocol, and thinks nothing. */
export async function startChatStandIn(): Promise<ChatStandIn> {
  const faults: { fault: ChatFault; times: number; after: number }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (request.method !== "POST" || request.url !== "/v1/chat/completions") return void response.writeHead(404).end();
    const text = Buffer.concat(chunks);
    const call: ChatCall = {
      authorization: request.headers.authorization,
      body: JSON.parse(text.toString("utf8")),
      bytes: text.length,
    };
    standIn.calls.push(call);
    const fault = nextFault();
    if (fault === "hang") return;
    if (typeof fault === "object") return void response.writeHead(fault.status, fault.headers).end("{}");
    const format = call.body.response_format?.type;
    if (format !== undefined && standIn.refuses.has(format)) return void response.writeHead(400).end("{}");
    send(response, call, fault);
  });

  function nextFault(): Exclude<ChatFault, never> | undefined {
    const [first] = faults;
    if (!first) return undefined;
    if (first.after > 0) {
      first.after -= 1;
      return undefined;
    }
    first.times -= 1;
    if (first.times === 0) faults.shift();
    return first.fault;
  }

  function send(response: ServerResponse, call: ChatCall, fault: ChatFault | undefined): void {
    const value = standIn.answer?.(call) ?? answerAsObedientModel(call.body);
    let content = typeof value === "string" ? value : JSON.stringify(value);
    if (fault === "break-schema") content = JSON.stringify({ surprise: true });
    if (fault === "too-long") content = content.slice(0, content.length / 2);
    const envelope = JSON.stringify({
      id: "chatcmpl-stand-in",
      object: "chat.completion",
      model: call.body.model,
      choices: [
        {
          index: 0,
          message: { role: "assistant", content },
          finish_reason: fault === "too-long" ? "length" : "stop",
        },
      ],
      usage: { prompt_tokens: Math.ceil(call.bytes / 4), completion_tokens: Math.ceil(content.length / 4) },
    });
    const bytes = Buffer.from(fault === "garble" ? "<html>it works</html>" : envelope);
    response.writeHead(200, { "content-type": "application/json", "content-length": String(bytes.length) });
    if (fault === "cut")
      response.write(bytes.subarray(0, bytes.length / 2), () => setTimeout(() => response.destroy(), 20));
    else response.end(bytes);
  }

  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const standIn: ChatStandIn = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls: [],
    refuses: new Set(),
    answer: undefined,
    fail: (fault, { times = 1, after = 0 } = {}) => void faults.push({ fault, times, after }),
    async stop() {
      server.closeAllConnections();
      await new Promise<void>((closed) => server.close(() => closed()));
    },
  };
  return standIn;
}
