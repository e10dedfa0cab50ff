#!/usr/bin/env bash
# Set everything up and build the documentation site from the saved notebooks: none is run, no network is needed.
# Warnings are errors, and so is a link that leads nowhere. Then open _docs/index.html, or serve the folder:
#   scripts/docs.sh && python3 -m http.server --directory _docs
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/setup.sh"
python -c 'import furo, myst_nb' 2>/dev/null || python -m pip install --quiet --editable '.[docs]'
exec python scripts/docs/build.py "$@"
