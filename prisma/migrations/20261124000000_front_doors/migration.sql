-- What a front door of another service must know again when it tells of a job, and how its webhooks look.
ALTER TABLE "jobs" ADD COLUMN "front_door" JSONB,
  ADD COLUMN "webhook_headers_encrypted" TEXT,
  ADD COLUMN "erase_at" TIMESTAMPTZ(3);

ALTER TABLE "webhook_deliveries" ADD COLUMN "headers_encrypted" TEXT;

ALTER TABLE "api_keys" ADD COLUMN "profile" TEXT NOT NULL DEFAULT 'standard',
  ADD COLUMN "webhook_format" TEXT;

CREATE INDEX "jobs_erase_at" ON "jobs" ("erase_at") WHERE "erase_at" IS NOT NULL;
