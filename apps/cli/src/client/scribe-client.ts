import { openAsBlob } from "node:fs";
import { basename } from "node:path";
import type { JobPhase, JobStatus, Transcript } from "@scribe/domain";

/** Longest wait for any answer but an event stream. An upload of the largest file over a slow line fits. */
const ANSWER_TIMEOUT_MS = 600_000;

export interface Client {
  url: string;
  key: string;
  signal: AbortSignal;
}

export interface AcceptedJob {
  job_id: string;
  status: JobStatus;
  links: { self: string; events: string; transcript: string };
}

export interface JobView {
  job_id: string;
  status: JobStatus;
  progress: number;
  phase: JobPhase;
  created_at: string;
  started_at: string | null;
  completed_at: string | null;
  duration: number | null;
  model: string;
  warnings?: string[];
  result?: Transcript;
  error?: { code: string; message: string; retryable: boolean };
}

/** The service answered with a problem, or with something that is no answer of ours. */
export class ServiceProblem extends Error {
  override readonly name = "ServiceProblem";
  readonly status: number;

  constructor(what: string, status: number, body: string) {
    super(`${what}: ${status} ${explain(body)}`);
    this.status = status;
  }
}

/** `POST /transcribe/upload`; the file is streamed from disk. */
export async function submitFile(client: Client, path: string, fields: Record<string, unknown> = {}) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) {
    form.set(name, typeof value === "string" ? value : JSON.stringify(value));
  }
  form.set("file", await openAsBlob(path), basename(path));
  return (await call(client, "POST", "/api/v1/transcribe/upload", { body: form })).json() as Promise<AcceptedJob>;
}

/** `POST /transcribe` with the address of a recording. */
export async function submitUrl(client: Client, url: string, fields: Record<string, unknown> = {}) {
  const headers = { "content-type": "application/json" };
  const body = JSON.stringify({ url, ...fields });
  return (await call(client, "POST", "/api/v1/transcribe", { headers, body })).json() as Promise<AcceptedJob>;
}

export async function getJob(client: Client, id: string): Promise<JobView> {
  return (await call(client, "GET", `/api/v1/jobs/${id}`)).json() as Promise<JobView>;
}

/** Stops a job; for when the caller has been stopped itself, so not by its signal. */
export async function cancelJob({ url, key }: Client, id: string): Promise<void> {
  await call({ url, key, signal: AbortSignal.timeout(5_000) }, "POST", `/api/v1/jobs/${id}/cancel`);
}

export async function getTranscript(client: Client, id: string, format: string): Promise<string> {
  return (await call(client, "GET", `/api/v1/jobs/${id}/transcript?format=${format}`)).text();
}

/** Calls the service and returns its answer where that is a success. */
export async function call(client: Client, method: string, path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(`${client.url}${path}`, {
    signal: AbortSignal.any([client.signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)]),
    ...init,
    method,
    headers: { authorization: `Bearer ${client.key}`, ...(init.headers as Record<string, string>) },
  });
  if (!response.ok) throw new ServiceProblem(`${method} ${path}`, response.status, await response.text());
  return response;
}

function explain(body: string): string {
  try {
    const { title, detail, errors } = JSON.parse(body);
    const fields = (errors ?? []).map((error: { path: string; message: string }) => `${error.path} ${error.message}`);
    return [detail ?? title, ...fields].join("; ");
  } catch {
    return body.slice(0, 300);
  }
}
