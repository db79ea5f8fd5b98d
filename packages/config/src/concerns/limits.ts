import { setting, whole } from "../setting.ts";

/** 0 stands for no limit where the description says so. Tenants and keys may have limits of their own. */
export const limitSettings = {
  RATE_LIMIT_READS: setting(whole(1, 10_000_000), { fallback: "1200", description: "Reads a minute and key" }),
  RATE_LIMIT_CREATES: setting(whole(1, 10_000_000), { fallback: "60", description: "Creations a minute and key" }),
  RATE_LIMIT_ANONYMOUS: setting(whole(1, 10_000_000), {
    fallback: "300",
    description: "Requests without a valid key, a minute and address (IPv6: a /56)",
  }),
  MAX_CONCURRENT_JOBS: setting(whole(0, 1_000_000), {
    fallback: "0",
    description: "Jobs of one tenant at work at once; 0: no limit",
  }),
  MAX_QUEUED_AUDIO_SECONDS: setting(whole(0, 1_000_000_000), {
    fallback: "0",
    description: "Audio of one tenant's jobs that have not ended; 0: no limit",
  }),
  MAX_DAILY_AUDIO_SECONDS: setting(whole(0, 1_000_000_000), {
    fallback: "0",
    description: "Audio of one tenant a day (UTC); 0: no limit",
  }),
  MAX_UPLOADS: setting(whole(1, 100_000), {
    fallback: "256",
    description: "Uploads that one replica receives at once",
  }),
  MAX_UPLOADS_PER_KEY: setting(whole(1, 100_000), {
    fallback: "32",
    description: "Uploads of one key that one replica receives at once",
  }),
  MAX_OPEN_UPLOADS: setting(whole(1, 1_000_000), {
    fallback: "1000",
    description: "Uploads of one tenant that await their bytes, or have come and no job uses",
  }),
  MAX_WAITING: setting(whole(1, 100_000), {
    fallback: "1000",
    description: "Callers of front doors that wait for a transcript at one replica",
  }),
  MAX_WAITING_PER_KEY: setting(whole(1, 100_000), {
    fallback: "100",
    description: "Of them with one key",
  }),
  UPLOAD_MIN_BYTES_PER_SECOND: setting(whole(0, 2 ** 30), {
    fallback: "1024",
    description: "An upload that is slower than this for half a minute is cut; 0: never",
  }),
  UPLOAD_IDLE_SECONDS: setting(whole(1, 3600), {
    fallback: "30",
    description: "An upload of which no byte came for this long is cut",
  }),
  STORAGE_RESERVE_BYTES: setting(whole(0, 2 ** 50), {
    fallback: "536870912",
    description:
      "With local storage: uploads are refused while the disk has less room than this; workers leave a quarter of it",
  }),
  MAX_BODY_BYTES: setting(whole(1024, 2 ** 24), { fallback: "1048576", description: "Largest JSON body" }),
  MAX_BATCH_BYTES: setting(whole(1024, 2 ** 28), { fallback: "33554432", description: "Largest manifest of a batch" }),
  MAX_INLINE_AUDIO_BYTES: setting(whole(1024, 2 ** 28), {
    fallback: "29360128",
    description: "Largest JSON body that has its audio inside",
  }),
  MAX_LARGE_BODIES: setting(whole(1, 1000), {
    fallback: "4",
    description: "Manifests and bodies with audio inside, beyond MAX_BODY_BYTES, that one replica reads at once",
  }),
  MAX_LARGE_BODIES_PER_KEY: setting(whole(1, 1000), { fallback: "2", description: "Of them with one key" }),
  MAX_SEARCHES: setting(whole(1, 1000), {
    fallback: "6",
    description: "Searches in transcripts that one replica makes at once; fewer than DATABASE_POOL_SIZE",
  }),
  MAX_SEARCHES_PER_KEY: setting(whole(1, 1000), { fallback: "3", description: "Of them with one key" }),
  MAX_OPEN_ENHANCEMENTS: setting(whole(1, 1_000_000), {
    fallback: "1000",
    description: "Enhancements of one tenant that were asked for by themselves and have not ended",
  }),
  MAX_LEXICONS: setting(whole(1, 10_000), { fallback: "1000", description: "Lexicons of one tenant" }),
  MAX_METADATA_BYTES: setting(whole(2, 16_384), {
    fallback: "16384",
    description: "Largest `metadata` of a job, as JSON",
  }),
  MAX_FORM_FIELDS: setting(whole(1, 1000), { fallback: "64", description: "Fields of an upload's form" }),
  MAX_URL_LENGTH: setting(whole(256, 16_384), {
    fallback: "8192",
    description: "Longest URL of a request, in characters",
  }),
  MAX_HEADER_BYTES: setting(whole(2048, 2 ** 20), { fallback: "16384", description: "Headers of a request, in all" }),
  MAX_CONNECTIONS: setting(whole(1, 1_000_000), {
    fallback: "16384",
    description: "Open connections of one replica; further ones are closed",
  }),
  MAX_CONNECTIONS_PER_ADDRESS: setting(whole(0, 1_000_000), {
    fallback: "1024",
    description: "Of them from one address, where TRUST_PROXY is false; 0: no limit",
  }),
  HEADER_TIMEOUT_SECONDS: setting(whole(1, 600), {
    fallback: "20",
    description: "A request's headers must have come by then, since its connection opened or the request before ended",
  }),
  BODY_TIMEOUT_SECONDS: setting(whole(1, 600), { fallback: "30", description: "A JSON body must have come by then" }),
  KEEP_ALIVE_SECONDS: setting(whole(1, 3600), {
    fallback: "65",
    description: "An idle connection is kept this long; longer than the load balancer does (usually 60)",
  }),
} as const;
