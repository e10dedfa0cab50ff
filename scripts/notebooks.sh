#!/usr/bin/env bash
# Set everything up and open JupyterLab on the notebooks. Options go to JupyterLab:
#   scripts/notebooks.sh --ip 0.0.0.0 --no-browser
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
exec jupyter lab --notebook-dir nbs "$@"
