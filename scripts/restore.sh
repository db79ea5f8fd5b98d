#!/usr/bin/env bash
# restore.sh FILE: brings what backup.sh wrote into the empty database of DATABASE_URL, all or nothing. Then start the
# same version that wrote it, or a later one.
set -euo pipefail
file=${1:?usage: scripts/restore.sh FILE}
: "${DATABASE_URL:?set DATABASE_URL}"
url=${DATABASE_DIRECT_URL:-$DATABASE_URL}
url=$(printf %s "$url" | sed -E 's/([?&])uselibpqcompat=[^&]*&?/\1/; s/[?&]$//')

tables=$(psql --no-psqlrc --tuples-only --no-align --dbname "$url" --command "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
if [ "$tables" -ne 0 ]; then
  echo "The database is not empty; nothing was changed. Make a new one and name it in DATABASE_URL." >&2
  exit 1
fi
pg_restore --exit-on-error --single-transaction --no-owner --no-privileges --dbname "$url" "$file"
psql --no-psqlrc --quiet --dbname "$url" <<'SQL'
-- Whoever held a job then holds it no more; what was in the window is sent again.
UPDATE jobs SET dispatched_at = NULL, lease_until = CASE WHEN lease_until IS NULL THEN NULL ELSE now() END WHERE status IN ('pending', 'processing');
UPDATE webhook_deliveries SET dispatched_at = NULL, lease_until = CASE WHEN lease_until IS NULL THEN NULL ELSE now() END WHERE status = 'pending';
DELETE FROM workers;
ANALYZE;
SQL
echo "restored from $file"
