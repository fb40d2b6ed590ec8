#!/usr/bin/env bash
# The quickstart, as the README has it. SHARED is not used.
#
#   results/quickstart/command.sh SHARED OUT
set -euo pipefail
python -m launch.quickstart --out="$2"
