#!/usr/bin/env bash
#SBATCH --job-name=equiradio
#SBATCH --gres=gpu:1
#SBATCH --cpus-per-task=4
#SBATCH --time=12:00:00
#SBATCH --requeue
# Reproduce Table 1 on a cluster: one array element a run, then the report.
#   sbatch --array=0-39 scripts/slurm_reproduce.sh OUT            eight models by seeds 0,1,2,3,4
#   sbatch --array=0-5 scripts/slurm_reproduce.sh OUT --models lenet,attention --seeds 0,1,2
# 'equiradio reproduce --dry-run' with the same options prints the plan, whose lines count from 0. An element that is requeued goes on where it
# stopped; elements may share a folder with any other machine. When all are done, the same command without the array makes the report:
#   equiradio reproduce --out OUT
set -euo pipefail
out=$1
shift
exec equiradio reproduce --out "$out" --part "${SLURM_ARRAY_TASK_ID:?submit with --array}" "$@"
