import type { Config } from "@scribe/config";
import type { Database } from "@scribe/database";
import type { OutboundClient, OutboundPolicy } from "@scribe/outbound";
import type { Dispatcher, Notifications, Queues } from "@scribe/queue";
import type { BlobStore } from "@scribe/storage";
import type { Logger, Tracer } from "@scribe/telemetry";
import type { ApiMetrics } from "./api-metrics.ts";
import type { FindCacheKeys } from "./cache-keys.ts";
import type { EstimateAudioSeconds } from "./http/audio-seconds.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { HitCounter } from "./limits/hit-counter.ts";
import type { Places } from "./limits/places.ts";
import type { LinkSigner } from "./link-signer.ts";
import type { ModelOffer } from "./model-offer.ts";
import type { Accounts } from "./open-accounts.ts";
import type { EventStreams } from "./streams/event-streams.ts";
import type { Underway } from "./underway.ts";
import type { Waits } from "./waits.ts";

/** What the routes work with: made once by `startApi`, given to each handler. */
export interface Api {
  config: Config;
  log: Logger;
  db: Database;
  queues: Pick<Queues, "ping" | "backend">;
  dispatcher: Pick<Dispatcher, "poke">;
  notifications: Notifications;
  storage: BlobStore;
  outboundPolicy: OutboundPolicy;
  /** What a delivery is sent with where its sender waits for the answer. */
  deliver: { client: OutboundClient; headersFor: (url: string) => Record<string, string> };
  models: ModelOffer;
  metrics: ApiMetrics;
  tracer: Tracer;
  streams: EventStreams;
  /** Creations with an Idempotency-Key that this process has begun. */
  underway: Underway;
  lifecycle: Lifecycle;
  waits: Waits;
  /** Null where they are off. */
  accounts: Accounts | null;
  /** Where requests are counted. */
  hits: HitCounter;
  links: LinkSigner;
  uploadSlots: Places;
  /** Of callers who wait for a transcript on an open connection: each is looked after every second. */
  waiting: Places;
  /** Of searches: each may hold one of a few connections to the database for long. */
  searches: Places;
  /** Of bodies beyond other bodies' size, which are in memory as a whole. */
  largeBodies: Places;
  /** What the operator's older receivers know: of the default tenant's webhooks in the older form. */
  legacySecretOf: (tenantId: string) => string | undefined;
  findCacheKeys: FindCacheKeys;
  estimateAudioSeconds: EstimateAudioSeconds;
  /** Jobs that wait, as of at most ten seconds ago; null where that is not known. */
  queueSize: () => number | null;
  version: string;
}
