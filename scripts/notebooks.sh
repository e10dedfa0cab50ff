#!/usr/bin/env bash
# Set everything up and open JupyterLab on the notebooks, index.ipynb first. Options go to JupyterLab:
#   scripts/notebooks.sh --ip 0.0.0.0 --no-browser
# scripts/jupyter has its settings: the first page, and that nothing is asked of other hosts (news, updates, extensions).
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
export JUPYTER_CONFIG_PATH="$PWD/scripts/jupyter${JUPYTER_CONFIG_PATH:+:$JUPYTER_CONFIG_PATH}"
exec jupyter lab --notebook-dir . "$@"  # not nbs: results/ has reports and galleries to open
