-- CreateTable
CREATE TABLE "webhook_endpoints" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "digest" CHAR(64) NOT NULL,
    "origin" TEXT NOT NULL,
    "path" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "disabled_at" TIMESTAMPTZ(3),
    "reason" TEXT,

    CONSTRAINT "webhook_endpoints_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "webhook_endpoints_tenant_id_digest_key" ON "webhook_endpoints"("tenant_id", "digest");

-- AddForeignKey
ALTER TABLE "webhook_endpoints" ADD CONSTRAINT "webhook_endpoints_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AlterTable
ALTER TABLE "webhook_deliveries" ADD COLUMN "endpoint_id" UUID,
ADD COLUMN "tries_before" INTEGER NOT NULL DEFAULT 0;

-- Deliveries that are there already get the endpoint that their address names: its origin and path, without the query.
INSERT INTO "webhook_endpoints" ("id", "tenant_id", "digest", "origin", "path")
SELECT gen_random_uuid(), "tenant_id", encode(sha256(convert_to("origin" || "path", 'UTF8')), 'hex'), "origin", "path"
FROM (
    SELECT DISTINCT "tenant_id", substring("url" from '^[^/]*//[^/?#]*') AS "origin",
        coalesce(nullif(substring("url" from '^[^/]*//[^/?#]*([^?#]*)'), ''), '/') AS "path"
    FROM "webhook_deliveries"
) AS "named";

UPDATE "webhook_deliveries" AS "delivery" SET "endpoint_id" = "endpoint"."id"
FROM "webhook_endpoints" AS "endpoint"
WHERE "endpoint"."tenant_id" = "delivery"."tenant_id"
    AND "endpoint"."origin" = substring("delivery"."url" from '^[^/]*//[^/?#]*')
    AND "endpoint"."path" = coalesce(nullif(substring("delivery"."url" from '^[^/]*//[^/?#]*([^?#]*)'), ''), '/');

ALTER TABLE "webhook_deliveries" ALTER COLUMN "endpoint_id" SET NOT NULL;

-- AddForeignKey
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_endpoint_id_fkey" FOREIGN KEY ("endpoint_id") REFERENCES "webhook_endpoints"("id") ON DELETE NO ACTION ON UPDATE CASCADE;

-- Indexes with a condition, as in the first migration: live rows only.

-- The dispatcher's choice: what waits for an endpoint, oldest first.
CREATE INDEX "webhook_deliveries_waiting" ON "webhook_deliveries"("endpoint_id", "next_run_at") WHERE "status" = 'pending' AND "dispatched_at" IS NULL;

-- Which endpoints nothing names any more.
CREATE INDEX "webhook_deliveries_endpoint_id" ON "webhook_deliveries"("endpoint_id");

-- When the dispatcher has to look again.
CREATE INDEX "jobs_due" ON "jobs"("next_run_at") WHERE "status" IN ('pending', 'processing') AND "dispatched_at" IS NULL;

-- What retention looks for.
CREATE INDEX "jobs_audio" ON "jobs"("audio_key") WHERE "audio_key" IS NOT NULL;
CREATE INDEX "jobs_ended" ON "jobs"("completed_at") WHERE "completed_at" IS NOT NULL;
