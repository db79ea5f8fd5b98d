import { expect, test } from "@jest/globals";
import { readConfig } from "@scribe/config";
import { jobSettings } from "../src/job-settings.ts";
import { outboundPolicy } from "../src/outbound-policy.ts";

const env = {
  DATABASE_URL: "postgres://scribe:secret@db.internal/scribe",
  SCRIBE_ENCRYPTION_KEY: Buffer.alloc(32).toString("base64"),
  REDIS_URL: "redis://cache:6400",
  ALLOW_PRIVATE_NETWORKS: "10.0.0.0/8",
  FETCH_ALLOWED_PORTS: "8443, 9000",
  METRICS_PORT: "0",
};
const { config } = readConfig(env);

test("an attempt may take twenty times its audio, and never less than ten minutes", () => {
  const { timeLimitMs } = jobSettings(config);
  expect([timeLimitMs(1), timeLimitMs(3600)]).toEqual([600_000, 72_000_000]);
  const three = jobSettings(readConfig({ ...env, JOB_TIMEOUT_FACTOR: "3" }).config).timeLimitMs;
  expect([three(200), three(201)]).toEqual([600_000, 603_000]);
});

test("what a recording may be, and its decoder take, is as configured", () => {
  const limits = {
    MAX_AUDIO_SECONDS: "7",
    MAX_UPLOAD_BYTES: "9",
    MAX_ATTEMPTS: "4",
    DECODER_MEMORY_BYTES: "300000000",
  };
  expect(jobSettings(readConfig({ ...env, ...limits, FETCH_TIMEOUT_SECONDS: "5" }).config)).toMatchObject({
    ...{ maxAttempts: 4, maxAudioSeconds: 7, maxAudioBytes: 9, decoderMemoryBytes: 300_000_000, fetchTimeoutMs: 5000 },
  });
});

test("the wait before another attempt grows, with jitter, up to a limit", () => {
  const waits = (random: number) => [1, 2, 3, 20].map(jobSettings(config, () => random).backoffSeconds);
  expect(waits(0)).toEqual([2, 8, 32, 600]);
  expect(waits(1)).toEqual([3, 12, 48, 900]);
});

test("our own ports and servers are never reached", () => {
  expect(outboundPolicy(config)).toEqual({
    allowedPorts: [8443, 9000],
    allowPrivateNetworks: ["10.0.0.0/8"],
    ownPorts: [8080, 8081],
    forbidden: [
      { host: "db.internal", port: 5432 },
      { host: "cache", port: 6400 },
    ],
  });
});
