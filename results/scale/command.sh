#!/usr/bin/env bash
# What the way to the disk costs, and of many images what the first and the last cost.
#
#   results/scale/command.sh SHARED OUT
#
# SHARED is not used. IMAGES takes fewer images than 60,000.
set -euo pipefail
out=$2
mkdir -p "$out"

. "$(dirname "$0")/../_job.sh"

page scale scale --devices=1,2,4
page reading reading
page million million --folder="$out/million" --images="${IMAGES:-60000}"
page again million --folder="$out/million" --again=false
page profile profile
