-- What a language model made of a transcript, or of a text.
CREATE TABLE "enhancements" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "api_key_id" UUID,
    "job_id" UUID,
    "version" INTEGER NOT NULL DEFAULT 1,
    "text" TEXT,
    "status" "job_status" NOT NULL DEFAULT 'pending',
    "progress" DOUBLE PRECISION NOT NULL DEFAULT 0,
    "tasks" TEXT[],
    "options" JSONB NOT NULL DEFAULT '{}',
    "metadata" JSONB NOT NULL DEFAULT '{}',
    "model" TEXT,
    "webhook_url" TEXT,
    "webhook_secret_encrypted" TEXT,
    "traceparent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "next_run_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "dispatched_at" TIMESTAMPTZ(3),
    "dispatch_count" INTEGER NOT NULL DEFAULT 0,
    "lease_epoch" INTEGER NOT NULL DEFAULT 0,
    "lease_until" TIMESTAMPTZ(3),
    "worker_id" TEXT,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "failures" INTEGER NOT NULL DEFAULT 0,
    "crashes" INTEGER NOT NULL DEFAULT 0,
    "prompt_tokens" INTEGER NOT NULL DEFAULT 0,
    "completion_tokens" INTEGER NOT NULL DEFAULT 0,
    "outputs" JSONB,
    "warnings" JSONB NOT NULL DEFAULT '[]',
    "error" JSONB,

    CONSTRAINT "enhancements_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "enhancement_steps" (
    "enhancement_id" UUID NOT NULL,
    "step" TEXT NOT NULL,
    "data" JSONB NOT NULL,

    CONSTRAINT "enhancement_steps_pkey" PRIMARY KEY ("enhancement_id","step")
);

ALTER TABLE "webhook_deliveries" ADD COLUMN "enhancement_id" UUID;

CREATE UNIQUE INDEX "enhancements_job_id_version_key" ON "enhancements"("job_id", "version");
CREATE INDEX "enhancements_tenant_id_created_at_id_idx" ON "enhancements"("tenant_id", "created_at" DESC, "id" DESC);

ALTER TABLE "enhancements" ADD CONSTRAINT "enhancements_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "enhancements" ADD CONSTRAINT "enhancements_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "enhancement_steps" ADD CONSTRAINT "enhancement_steps_enhancement_id_fkey" FOREIGN KEY ("enhancement_id") REFERENCES "enhancements"("id") ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE "webhook_deliveries" ADD CONSTRAINT "webhook_deliveries_enhancement_id_fkey" FOREIGN KEY ("enhancement_id") REFERENCES "enhancements"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Indexes with a condition, as of jobs: live rows only.
CREATE INDEX "enhancements_dispatchable" ON "enhancements"("next_run_at") WHERE "status" IN ('pending', 'processing') AND "dispatched_at" IS NULL;
CREATE INDEX "enhancements_in_window" ON "enhancements"("dispatched_at") WHERE "dispatched_at" IS NOT NULL;
CREATE INDEX "enhancements_leased" ON "enhancements"("lease_until") WHERE "lease_until" IS NOT NULL;
CREATE INDEX "enhancements_ended" ON "enhancements"("completed_at") WHERE "completed_at" IS NOT NULL AND "job_id" IS NULL;

-- An event of an enhancement is told once.
CREATE UNIQUE INDEX "webhook_deliveries_of_enhancement" ON "webhook_deliveries"("enhancement_id", "type") WHERE "enhancement_id" IS NOT NULL;
