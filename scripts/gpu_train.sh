#!/usr/bin/env bash
# Train and evaluate rows of Table 1 on one GPU, stop cleanly after some minutes, go on at the next call, pack results and weights.
# Usage: scripts/gpu_train.sh MINUTES WORKERS OUT MODEL:SEEDS...   e.g. scripts/gpu_train.sh 9 5 packed lenet:0,1,2 c4-attention:0,1,2
# MiraBest is looked for in EQUIRADIO_DATA. Runs lie in ./runs; OUT receives an archive per model (float16 weights, no checkpoints, no LeNet weights).
set -euo pipefail
minutes=$1 workers=$2 out=$3
shift 3
cd "$(dirname "$0")/.."
export PYTHONPATH=src
python3 -W ignore scripts/train_many.py --minutes "$minutes" --workers "$workers" --runs runs "$@"
python3 scripts/pack_runs.py runs "$out" --without-weights lenet
