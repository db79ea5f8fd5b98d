-- Requests counted by window, shared by all replicas. Unlogged: a crash forgets a minute of counts, and no request waits
-- for the disk. Rows are updated in place, so pages keep room for it.
CREATE UNLOGGED TABLE "rate_hits" (
    "bucket" TEXT NOT NULL,
    "hits" INTEGER NOT NULL,
    "ends_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "rate_hits_pkey" PRIMARY KEY ("bucket")
) WITH (fillfactor = 40, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What a tenant used on a day (UTC), by model. It outlives the jobs.
CREATE TABLE "usage" (
    "tenant_id" UUID NOT NULL,
    "day" DATE NOT NULL,
    "model" TEXT NOT NULL,
    "completed" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "cancelled" INTEGER NOT NULL DEFAULT 0,
    "audio_seconds" DOUBLE PRECISION NOT NULL DEFAULT 0,

    CONSTRAINT "usage_pkey" PRIMARY KEY ("tenant_id", "day", "model")
);

ALTER TABLE "usage" ADD CONSTRAINT "usage_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- A tenant's live jobs, for what it may have queued.
CREATE INDEX "jobs_live" ON "jobs"("tenant_id") WHERE "status" IN ('pending', 'processing');

-- What failed, newest first (ids rise with time), for the operator.
CREATE INDEX "jobs_failed" ON "jobs"("id") WHERE "status" = 'failed';
