# Sourced by the other scripts: goes to the repository root and makes sure that .venv holds what settings.ini asks for.
# A finished installation leaves a stamp, so a second call installs nothing.
#   PYTHON  the interpreter to make .venv with (default python3; 3.11 or later)
#   TORCH   what to install PyTorch from (default: the versions that the tests ran with)
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export NO_ALBUMENTATIONS_UPDATE=1

stamp=.venv/installed-$(cat settings.ini setup.py scripts/setup.sh | sha256sum | cut -c1-12)
if [ ! -f "$stamp" ]; then
    [ -x .venv/bin/python ] || "${PYTHON:-python3}" -m venv .venv
    .venv/bin/python -m pip install --quiet --upgrade pip
    # PyTorch first and by version: a plain range would fetch whatever is newest, gigabytes at a time.
    .venv/bin/python -m pip install --quiet ${TORCH:-torch==2.14.1 torchvision==0.29.1}
    .venv/bin/python -m pip install --quiet --editable '.[dev,kaggle]'
    rm -f .venv/installed-*
    touch "$stamp"
fi
export PATH="$PWD/.venv/bin:$PATH"
