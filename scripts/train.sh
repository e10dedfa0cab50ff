#!/usr/bin/env bash
# Set everything up and run the main job: fold 0 on the embedded synthetic data. Options go to papermill:
#   scripts/train.sh -p fold 1 -p config densenet121 -p data /data/hpa
# The executed notebook is written to results/train-<time>.ipynb, the run to results/<time>/fold_<fold>/.
set -euo pipefail
where=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
repo=$PWD
cd "$where"
out="${OUT_NOTEBOOK:-results/train-$(date -u +%Y%m%d-%H%M%S).ipynb}"
mkdir -p "$(dirname "$out")"
papermill "$repo/nbs/train.ipynb" "$out" --kernel python3 "$@"
echo "executed notebook: $out"
