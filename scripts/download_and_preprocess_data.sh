#!/usr/bin/env bash
# From nothing to folds that do not leak: plan and fetch the images, check and store them, look for near-duplicates,
# deal the folds and print the audit. Every step goes on where it stopped: run the same command again.
#   scripts/download_and_preprocess_data.sh /data/hpa --kaggle png                            # needs KAGGLE_USERNAME, KAGGLE_KEY
#   scripts/download_and_preprocess_data.sh /data/hpa --kaggle png --hpav18 HPAv18.csv        # about 106,000 images
#   scripts/download_and_preprocess_data.sh /data/hpa --hpav18 HPAv18.csv --antibodies 1 2 3  # a part
# Options are those of `python -m hpa_nb.download fetch`. Training then finds everything ready:
#   scripts/train.sh -p config densenet121 -p data /data/hpa
#   CONFIG   the configuration that says how images are stored (default densenet121)
#   SET      changes to it, such as SET='size=1024; faults=leave_out'
#   OUT      folder of all runs, whose cache/ gets the store (default results)
#   PLAN_ONLY=1  stop after the plan
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,/^set/p' "$0" | grep '^#'; exit 2; }
where=$PWD
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
cd "$where"
data=$(realpath -m "$1"); shift

if [ -n "${PLAN_ONLY:-}" ]; then exec python -m hpa_nb.download plan "$data" "$@"; fi
echo "== plan and fetch"
python -m hpa_nb.download fetch "$data" "$@"

echo "== check, store, near-duplicates, folds"
python -m hpa_nb "${CONFIG:-densenet121}" --cache "${OUT:-results}/cache" --set "data=$data; source=$data" ${SET:+--set "$SET"} \
    --show audit --to folds --to duplicates
