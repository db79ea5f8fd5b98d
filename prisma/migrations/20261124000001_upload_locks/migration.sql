-- Who writes a resumable upload, or reads how far it is. Unlogged: after a crash nobody does.
CREATE UNLOGGED TABLE "upload_locks" (
    "id" UUID NOT NULL,
    "token" UUID NOT NULL,
    "until" TIMESTAMPTZ(3) NOT NULL,
    "wanted" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "upload_locks_pkey" PRIMARY KEY ("id")
);
