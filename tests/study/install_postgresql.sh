#!/bin/sh
# Install the PostgreSQL server for the tests, on Debian and its relatives. Requires root.
# The package would also start a server of its own, which the tests do not need.
set -eu
mkdir -p /etc/postgresql-common
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends postgresql
