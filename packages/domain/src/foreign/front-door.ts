import type { JobErrorView } from "../errors.ts";
import type { JobStatus } from "../job-state.ts";

/** Services that ours stands in for; each has its own words for the same jobs. */
export const FRONT_DOORS = [
  "openai",
  "deepgram",
  "assemblyai",
  "runpod",
  "legacy",
  "notes",
  "storage",
  "saas",
] as const;
export type FrontDoorName = (typeof FRONT_DOORS)[number];

/** How deliveries look; `standard` is our own. */
export const WEBHOOK_FORMATS = ["standard", "legacy", "deepgram", "assemblyai", "runpod"] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

/** What a job carries of the front door that took it: what an answer must say again, and how webhooks look. */
export interface FrontDoor {
  door: FrontDoorName;
  webhook?: WebhookFormat;
  /** The door's own: what was asked, as far as our options do not hold it. JSON. */
  ask?: Readonly<Record<string, unknown>>;
}

/** Of a job, as much as front doors tell. */
export interface ForeignJob {
  id: string;
  tenantId: string;
  status: JobStatus;
  progress: number;
  engine: string;
  model: string;
  language: string | null;
  recordingId: string | null;
  metadata: Record<string, unknown>;
  options: unknown;
  createdAt: Date;
  updatedAt: Date;
  startedAt: Date | null;
  completedAt: Date | null;
  attempts: number;
  duration: number | null;
  audioSha256: string | null;
  error: JobErrorView | null;
  frontDoor: FrontDoor | null;
}
