import { listOf, setting, text, url, whole } from "../setting.ts";

export const WORKER_ROLES = ["transcription", "webhooks", "maintenance", "enhancement"] as const;

export const jobSettings = {
  WORKER_ROLES: setting(listOf(WORKER_ROLES), {
    fallback: "transcription,webhooks,maintenance,enhancement",
    description: "What a worker does",
  }),
  WORKER_CONCURRENCY: setting(whole(1, 256), { fallback: "2", description: "Jobs that a worker transcribes at once" }),
  LEASE_SECONDS: setting(whole(1, 3600), { fallback: "30", description: "How long a silent worker keeps a job" }),
  SWEEP_INTERVAL_SECONDS: setting(whole(1, 3600), {
    fallback: "10",
    description: "How often what was left behind is looked for",
  }),
  DISPATCH_WINDOW: setting(whole(1, 100_000), {
    description: "Messages kept in the queue; absent: four for each live slot, at least 16",
  }),
  PRIORITY_AGEING_SECONDS: setting(whole(0, 1_000_000), {
    fallback: "600",
    description: "A job that has waited this long counts as one priority higher, for as often; 0: never",
  }),
  MAX_ATTEMPTS: setting(whole(1, 100), {
    fallback: "3",
    description: "Attempts that may end in an error worth a retry",
  }),
  JOB_TIMEOUT_FACTOR: setting(whole(1, 1000), {
    fallback: "20",
    description: "An attempt ends after this many times its audio's length (and never before ten minutes)",
  }),
  TARGET_WAIT_SECONDS: setting(whole(1, 1_000_000), {
    fallback: "300",
    description: "How long audio may wait for a worker; scaling aims at it",
  }),
  ECS_AGENT_URI: setting(url("http:"), {
    description: "Set by ECS itself: busy workers ask there not to be scaled in",
  }),
  CLOUDWATCH_NAMESPACE: setting(text, {
    description:
      "Maintenance also writes what scaling on ECS needs into its log, as CloudWatch metrics of this namespace",
  }),
  SHUTDOWN_GRACE_SECONDS: setting(whole(0, 3600), {
    fallback: "25",
    description: "How long work may go on after SIGTERM before it is handed back",
  }),
  AUDIO_RETENTION_HOURS: setting(whole(0, 1_000_000), {
    fallback: "24",
    description: "Audio is erased this long after the last job that uses it ended",
  }),
  JOB_RETENTION_HOURS: setting(whole(0, 1_000_000), {
    fallback: "0",
    description: "Ended jobs are erased with their transcripts after this time; 0: kept",
  }),
  CLEANUP_INTERVAL_MINUTES: setting(whole(1, 10_000), {
    fallback: "60",
    description: "How often what is too old is erased",
  }),
  MAX_AUDIO_SECONDS: setting(whole(1, 1_000_000), { fallback: "36000", description: "Longest audio of a job" }),
  DECODER_MEMORY_BYTES: setting(whole(2 ** 28, 2 ** 40), {
    fallback: "1073741824",
    description: "Address space of one ffmpeg that reads a recording, where `prlimit` can bound it",
  }),
} as const;
