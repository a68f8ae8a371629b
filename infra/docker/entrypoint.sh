#!/bin/sh
# Runs a command with the variables of /run/coderm/env, where that file is mounted: so these secrets are neither in the image, nor in
# the database of the Prefect server, nor in what `docker inspect` shows. Lines NAME=value, as a shell reads them.
set -eu
if [ -e /run/coderm/env ]; then
    set -a
    . /run/coderm/env
    set +a
fi
exec "$@"
