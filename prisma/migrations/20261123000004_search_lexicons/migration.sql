-- Word lists of a tenant, and each of their versions: a job names the one that stood when it was submitted.
CREATE TABLE "lexicons" (
    "id" UUID NOT NULL,
    "tenant_id" UUID NOT NULL,
    "name" TEXT NOT NULL,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "lexicons_pkey" PRIMARY KEY ("id")
);
CREATE UNIQUE INDEX "lexicons_tenant_id_name_key" ON "lexicons"("tenant_id", "name");
ALTER TABLE "lexicons" ADD CONSTRAINT "lexicons_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

CREATE TABLE "lexicon_versions" (
    "lexicon_id" UUID NOT NULL,
    "version" INTEGER NOT NULL,
    "content" JSONB NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "lexicon_versions_pkey" PRIMARY KEY ("lexicon_id", "version")
);
ALTER TABLE "lexicon_versions" ADD CONSTRAINT "lexicon_versions_lexicon_id_fkey" FOREIGN KEY ("lexicon_id") REFERENCES "lexicons"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What can be found of completed jobs, a row a segment. The terms hold the words of the text, and as words of their own
-- the tenant and the configuration, so that one index answers all of a question.
CREATE TABLE "search_segments" (
    "job_id" UUID NOT NULL,
    "index" INTEGER NOT NULL,
    "tenant_id" UUID NOT NULL,
    "config" TEXT NOT NULL,
    "terms" TSVECTOR NOT NULL,

    CONSTRAINT "search_segments_pkey" PRIMARY KEY ("job_id", "index")
);
ALTER TABLE "search_segments" ADD CONSTRAINT "search_segments_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- Jobs that were completed before. Their own tongues come with the next jobs. These are found by whole words.
INSERT INTO "search_segments" ("job_id", "index", "tenant_id", "config", "terms")
SELECT s."job_id", s."index", j."tenant_id", 'simple',
  to_tsvector('simple', left(s."text", 100000)) || array_to_tsvector(ARRAY['tenant/' || j."tenant_id"::text, 'config/simple'])
FROM "segments" s JOIN "jobs" j ON j."id" = s."job_id" WHERE j."status" = 'completed';

CREATE INDEX "search_segments_in_order" ON "search_segments"("tenant_id", "job_id" DESC, "index");
CREATE INDEX "search_segments_configs" ON "search_segments"("tenant_id", "config");
CREATE INDEX "search_segments_terms" ON "search_segments" USING GIN ("terms");
