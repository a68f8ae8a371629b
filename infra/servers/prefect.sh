#!/bin/sh
# The Prefect server, with a login and nothing beyond loopback unless HOST says so.
# Needs PREFECT_SERVER_API_AUTH_STRING (user:password) and PREFECT_SERVER_DATABASE_CONNECTION_URL (postgresql+asyncpg://…).
set -eu
: "${PREFECT_SERVER_API_AUTH_STRING:?set it to user:password}"
: "${PREFECT_SERVER_DATABASE_CONNECTION_URL:?set it to postgresql+asyncpg://…}"
export PREFECT_API_AUTH_STRING="$PREFECT_SERVER_API_AUTH_STRING" DO_NOT_TRACK=true
export PREFECT_SERVER_ANALYTICS_ENABLED=false PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT=false PREFECT_SERVER_METRICS_ENABLED=true
# the UI asks the server it came from, behind whatever port or proxy
export PREFECT_SERVER_UI_API_URL="${PREFECT_SERVER_UI_API_URL:-/api}"
# in memory a restart of the server forgets who holds a slot of coderm-gpu, and it is never given back
export PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE=prefect.server.concurrency.lease_storage.filesystem
exec prefect server start --host "${HOST:-127.0.0.1}" --port "${PORT:-4200}"
