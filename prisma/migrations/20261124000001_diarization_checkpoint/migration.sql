-- Who speaks when, found by an attempt that ended before its transcription did.
ALTER TABLE "jobs" ADD COLUMN     "diarization_checkpoint" JSONB;
