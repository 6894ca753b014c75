#!/usr/bin/env bash
# Writes .env with fresh secrets for docker-compose.yml. It never overwrites one: that would lock you out of Postgres.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if [[ -e .env ]]; then
  echo ".env is there already. To make new secrets: docker compose down --volumes (deletes all messages), rm .env" >&2
  exit 1
fi

secret() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

umask 077
new="$(mktemp .env.XXXXXX)"
trap 'rm -f "$new"' EXIT
cat >"$new" <<END
# Secrets of this installation, made by deploy/env.sh. Hexadecimal, because two of them become part of a URL.
STARLING_SECRET=$(secret)
REDIS_PASSWORD=$(secret)
POSTGRES_PASSWORD=$(secret)
GRAFANA_PASSWORD=$(secret)
END
# A link fails where a file is: nobody's .env is lost to a race.
ln "$new" .env
echo "wrote .env"
