#!/usr/bin/env bash
# Set everything up and run the tests of all notebooks, two at a time; closes with "N passed, N failed".
#   scripts/test.sh                       all notebooks, without the cells flagged slow or cuda
#   scripts/test.sh --flags "slow cuda"   these as well
#   scripts/test.sh nbs/11_losses.ipynb   one notebook
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec python scripts/run_tests.py "$@"
