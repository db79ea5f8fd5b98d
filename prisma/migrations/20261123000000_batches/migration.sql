-- A batch counts the endings of its jobs itself, each in the transaction that ends the job: whoever brings the count to
-- `total` ends the batch.
CREATE TABLE "batches" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "api_key_id" UUID,
    "total" INTEGER NOT NULL,
    "completed" INTEGER NOT NULL DEFAULT 0,
    "failed" INTEGER NOT NULL DEFAULT 0,
    "cancelled" INTEGER NOT NULL DEFAULT 0,
    "refused" JSONB NOT NULL DEFAULT '[]',
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "webhook_url" TEXT,
    "webhook_secret_encrypted" TEXT,
    "traceparent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "cancelled_at" TIMESTAMPTZ(3),
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "batches_pkey" PRIMARY KEY ("id")
) WITH (fillfactor = 50);

ALTER TABLE "jobs" ADD COLUMN "batch_id" UUID,
ADD COLUMN "batch_line" INTEGER,
ADD COLUMN "cache_key" CHAR(64);

ALTER TABLE "webhook_deliveries" ADD COLUMN "batch_id" UUID;

ALTER TABLE "workers" ADD COLUMN "identities" JSONB NOT NULL DEFAULT '{}';

-- CreateIndex
CREATE INDEX "batches_tenant_id_id_idx" ON "batches"("tenant_id", "id" DESC);

-- AddForeignKey
ALTER TABLE "batches" ADD CONSTRAINT "batches_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "jobs" ADD CONSTRAINT "jobs_batch_id_fkey" FOREIGN KEY ("batch_id") REFERENCES "batches"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_batch_id_fkey" FOREIGN KEY ("batch_id") REFERENCES "batches"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Indexes with a condition, as in the first migration.

-- A batch's jobs in the order of their lines.
CREATE INDEX "jobs_of_batch" ON "jobs"("batch_id", "batch_line") WHERE "batch_id" IS NOT NULL;

-- What of a batch is at work.
CREATE INDEX "jobs_of_batch_processing" ON "jobs"("batch_id") WHERE "batch_id" IS NOT NULL AND "status" = 'processing';

-- Results that may serve again.
CREATE INDEX "jobs_cached" ON "jobs"("tenant_id", "cache_key") WHERE "cache_key" IS NOT NULL;

-- What retention looks for.
CREATE INDEX "batches_ended" ON "batches"("ended_at") WHERE "ended_at" IS NOT NULL;

CREATE INDEX "webhook_deliveries_of_batch" ON "webhook_deliveries"("batch_id") WHERE "batch_id" IS NOT NULL;
