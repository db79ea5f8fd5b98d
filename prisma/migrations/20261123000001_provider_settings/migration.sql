-- A tenant's own accounts with those who transcribe for others. The key is AES-256-GCM under SCRIBE_ENCRYPTION_KEY.
CREATE TABLE "provider_settings" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "provider" TEXT NOT NULL,
    "api_key_encrypted" TEXT NOT NULL,
    "base_url" TEXT,
    "models" TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "provider_settings_pkey" PRIMARY KEY ("id")
);

CREATE UNIQUE INDEX "provider_settings_tenant_id_provider_key" ON "provider_settings"("tenant_id", "provider");

ALTER TABLE "provider_settings" ADD CONSTRAINT "provider_settings_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What a request brought along for its job alone, encrypted. Erased when the job ends.
ALTER TABLE "jobs" ADD COLUMN "provider_account_encrypted" TEXT;
