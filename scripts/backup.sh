#!/usr/bin/env bash
# backup.sh FILE: everything that Postgres holds for DATABASE_URL, in pg_dump's own format. The audio storage and
# SCRIBE_ENCRYPTION_KEY are kept apart. Needs pg_dump of the server's version or later.
set -euo pipefail
file=${1:?usage: scripts/backup.sh FILE}
: "${DATABASE_URL:?set DATABASE_URL}"
url=${DATABASE_DIRECT_URL:-$DATABASE_URL}
# A parameter of Node's driver that libpq does not know.
url=$(printf %s "$url" | sed -E 's/([?&])uselibpqcompat=[^&]*&?/\1/; s/[?&]$//')

server=$(psql --no-psqlrc --tuples-only --no-align --dbname "$url" --command "SHOW server_version_num")
tool=$(pg_dump --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
if [ "$tool" -lt "$((server / 10000))" ]; then
  echo "pg_dump $tool cannot read Postgres $((server / 10000)): install the client of that version" >&2
  exit 1
fi
# The queue's own tables and the counts of requests are left out: they are made again.
pg_dump --format custom --no-owner --no-privileges --exclude-schema 'bullmq*' --exclude-table-data rate_hits --file "$file.part" --dbname "$url"
pg_restore --list "$file.part" > /dev/null
mv "$file.part" "$file"
echo "$file: $(stat --format %s "$file") bytes"
