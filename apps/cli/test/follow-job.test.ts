import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { afterEach, expect, test } from "@jest/globals";
import { followJob, type JobEvent } from "../src/client/follow-job.ts";
import { type Client, getJob, ServiceProblem } from "../src/client/scribe-client.ts";
import { formatBar, showProgress } from "../src/client/show-progress.ts";

let close: () => void = () => {};
afterEach(() => close());

async function serve(handle: (request: IncomingMessage, response: ServerResponse, index: number) => void) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => handle(request, response, requests.push(request) - 1));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  close = () => {
    server.closeAllConnections();
    server.close();
  };
  const { port } = server.address() as { port: number };
  const client: Client = { url: `http://127.0.0.1:${port}`, key: "sr_x", signal: new AbortController().signal };
  return { client, requests };
}

const event = (type: string, data: object, id?: number) =>
  `${id === undefined ? "" : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

async function collect(events: AsyncIterable<JobEvent>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of events) types.push(type);
  return types;
}

test("a stream that breaks is taken up after the last event that had an id", async () => {
  const { client, requests } = await serve((_request, response, index) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    if (index === 0) {
      response.write(event("status", { status: "pending" }, 1) + event("segment", { text: "a" }, 2));
      response.write(event("progress", { progress: 10 }), () => response.destroy());
    } else response.end(event("segment", { text: "b" }, 3) + event("done", { status: "completed" }, 4));
  });
  expect(await collect(followJob(client, "j"))).toEqual(["status", "segment", "progress", "segment", "done"]);
  expect(requests.map(({ headers }) => headers["last-event-id"])).toEqual([undefined, "2"]);
});

test("where everything was told already, there is nothing more", async () => {
  const { client } = await serve((_request, response) => void response.writeHead(204).end());
  expect(await collect(followJob(client, "j"))).toEqual([]);
});

test("a stream that breaks for ever is an error", async () => {
  const { client, requests } = await serve((_request, response) => {
    response.writeHead(200, { "content-type": "text/event-stream" }).end(": nothing\n\n");
  });
  await expect(collect(followJob(client, "j", 1))).rejects.toThrow("The event stream of job j broke 6 times.");
  expect(requests).toHaveLength(6);
});

test("a problem is told with its detail and its fields", async () => {
  const { client } = await serve((_request, response) => {
    response.writeHead(400, { "content-type": "application/problem+json" });
    response.end(JSON.stringify({ title: "Bad", detail: "No.", errors: [{ path: "url", message: "is wrong" }] }));
  });
  const failure = getJob(client, "j");
  await expect(failure).rejects.toBeInstanceOf(ServiceProblem);
  await expect(failure).rejects.toThrow("GET /api/v1/jobs/j: 400 No.; url is wrong");
});

test("an answer that is no problem of ours is shown as it came", async () => {
  const { client } = await serve((_request, response) => void response.writeHead(502).end("<h1>proxy</h1>"));
  await expect(getJob(client, "j")).rejects.toThrow("GET /api/v1/jobs/j: 502 <h1>proxy</h1>");
});

const JOB_EVENTS =
  event("status", { status: "processing" }, 1) +
  event("progress", { progress: 50, phase: "transcribing" }) +
  event("segment", { start: 61.24, end: 62, text: " Hello." }, 2) +
  event("done", { status: "completed" }, 3);

const jobServer = (status: string) =>
  serve((request, response) => {
    if (request.url?.endsWith("/events")) {
      response.writeHead(200, { "content-type": "text/event-stream" }).end(JOB_EVENTS);
    } else response.end(JSON.stringify({ job_id: "j", status }));
  });

test("without a terminal, progress comes as lines", async () => {
  const { client } = await jobServer("completed");
  const lines: string[] = [];
  const { segments } = await showProgress(client, "j", { write: (text: string) => lines.push(text) });
  expect(lines).toEqual([
    `${formatBar(0, "queued")}\n`,
    `${formatBar(50, "transcribing")}\n`,
    "  1:01.2 → 1:02.0  Hello.\n",
    `${formatBar(100, "completed")}\n`,
  ]);
  expect(segments).toHaveLength(1);
});

test("on a terminal, the bar is drawn over itself and segments stand above it", async () => {
  const { client } = await jobServer("completed");
  let screen = "";
  await showProgress(client, "j", { isTTY: true, write: (text: string) => (screen += text) });
  expect(screen).toContain("\r\x1b[2K  1:01.2 → 1:02.0  Hello.\n\r\x1b[2K  ███");
  expect(screen.endsWith("100 % completed\n")).toBe(true);
});

test("a stream that ends before the job does is an error", async () => {
  const { client } = await jobServer("processing");
  const show = showProgress(client, "j", { write: () => true });
  await expect(show).rejects.toThrow("The event stream ended, but job j is processing.");
});
