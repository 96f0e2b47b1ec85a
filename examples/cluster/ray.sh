#!/usr/bin/env bash
# A search on several machines with Ray. All machines need the same Python packages, and the run
# file, the run directory and the images at the same paths (docs/cluster.md).
#
#   ray.sh head                          once, on the first machine
#   ray.sh join HOST:6379                on each other machine
#   ray.sh search RUN.yaml DIR [--set KEY=VALUE ...]    on the first machine
#   ray.sh leave                         on each machine, at the end
set -euo pipefail

command=${1:?"head, join, search or leave"}
shift
case $command in
    head)
        ray start --head --port=6379 --include-dashboard=false --disable-usage-stats
        ;;
    join)
        ray start --address="${1:?"HOST:6379 of the first machine"}"
        ;;
    search)
        run_file=${1:?"a run file"} folder=${2:?"a run directory"}
        shift 2
        # One worker per GPU of the cluster. The same line resumes the search.
        mtlsearch search "$run_file" --out "$folder" --executor ray --address auto "$@"
        ;;
    leave)
        ray stop
        ;;
    *)
        echo "unknown command: $command" >&2
        exit 2
        ;;
esac
