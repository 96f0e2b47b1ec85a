#!/bin/bash
# A search on SLURM: each task of the array is one worker with one GPU.
#
#   sbatch --export=ALL,RUN_FILE=/shared/my-run/run.yaml,RUN=/shared/results/my-run slurm.sh
#
# Start more workers at any time with the same line. Run file, run directory and images are on a
# disk that all nodes share (docs/cluster.md).
#SBATCH --job-name=mtlsearch
#SBATCH --array=0-7
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=8
#SBATCH --gres=gpu:1
#SBATCH --mem=32G
#SBATCH --time=24:00:00
#SBATCH --signal=INT@120
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=mtlsearch-%A-%a.log
set -uo pipefail

: "${RUN_FILE:?"set RUN_FILE to a run file"}" "${RUN:?"set RUN to a run directory"}"
MAX_RESTARTS=20
export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}

trap 'exit 143' TERM # scancel: end here, do not requeue
srun mtlsearch worker "$RUN_FILE" --out "$RUN"
code=$?

# 130: the time limit is near; 75: this node has a full disk or memory; 137: it was killed for
# its memory. Another try continues the trial. All other errors are in the log.
case $code in
    75 | 130 | 137)
        if ((${SLURM_RESTART_COUNT:-0} < MAX_RESTARTS)); then
            exec scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
        fi
        ;;
esac
exit "$code"
