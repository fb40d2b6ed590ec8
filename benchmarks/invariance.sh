#!/usr/bin/env bash
# Do devices, batches and kills change a file or a record? Counts those that differ.
#
#     benchmarks/invariance.sh SHARED OUT
#
# SHARED: the folder with CIFAR-10 and weights. OUT: takes some 100 MB. LIMIT=512 images;
# JOBS: which of protect, protect-l2, revert, evaluate, certify, scalecert, autoattack.
# Some 25 minutes on two CPU cores; `autoattack` (64 images) is most of it. MODEL: a checkpoint or a name.
set -euo pipefail
shared=$1 out=$2
limit=${LIMIT:-512}
jobs=${JOBS:-protect protect-l2 revert evaluate certify scalecert autoattack}
mkdir -p "$out"
model=${MODEL:-cifar10_resnet20_robust}
test=(--source=tfds:cifar10_subset:test --data_dir="$shared/data")
mspd=(--surrogate="$model")

start() { # FOLDER DEVICES BATCH MAIN FLAGS...: in place of this shell
  local folder=$1 devices=$2 batch=$3 main=$4
  shift 4
  XLA_FLAGS="--xla_force_host_platform_device_count=$devices" exec \
    python -m "launch.$main" --out="$out/$folder" --batch_size="$batch" "$@" \
    >>"$out/log.txt" 2>&1
}

differing() { # FOLDER FOLDER: records, and files below images, that are not the same
  local records files
  records=$(diff "$out/$1/records.jsonl" "$out/$2/records.jsonl" | grep -c '^>' || true)
  files=$(diff -rq "$out/$1/images" "$out/$2/images" 2>/dev/null | wc -l)
  echo "$records records, $files files"
}

compare() { # NAME SETTINGS MAIN FLAGS...: against one device and batches of 32
  local name=$1 settings=$2 devices batch folder
  shift 2
  (start "$name" 1 32 "$@")
  echo "$name: $(wc -l <"$out/$name/records.jsonl") records"
  for setting in $settings; do
    IFS=x read -r devices batch <<<"$setting"
    folder="$name-$setting"
    (start "$folder" "$devices" "$batch" "$@")
    echo "  $devices devices, batch $batch: $(differing "$name" "$folder") differ"
  done
  # Killed once it has written something, and resumed with other devices and batches.
  folder="$name-killed"
  (start "$folder" 2 8 "$@") &
  local process=$!
  until [ -n "$(cat "$out/$folder"/*.jsonl 2>/dev/null)" ] ||
    ! kill -0 "$process" 2>/dev/null; do sleep 0.1; done
  kill -9 "$process" 2>/dev/null || true
  wait "$process" 2>/dev/null || true
  local found
  found=$(cat "$out/$folder"/*.jsonl | wc -l)
  (start "$folder" 3 7 "$@")
  echo "  killed after $found lines, resumed: $(differing "$name" "$folder") differ"
}

all="1x1 2x7 3x8 4x32"
for job in $jobs; do
  some=("${test[@]}" --limit="$limit")
  case $job in
    protect) compare protect "$all" protect "${some[@]}" "${mspd[@]}" --eps=8/255 ;;
    protect-l2)
      compare protect-l2 "$all" protect "${some[@]}" "${mspd[@]}" --norm=l2 --eps=0.5
      ;;
    revert)
      compare revert "$all" revert --source="folder:$out/protect" "${mspd[@]}" \
        --eps=8/255
      ;;
    evaluate)
      compare evaluate "$all" evaluate "${some[@]}" --target="$model" --attack=pgd-20 \
        --eps=8/255 --check_images=0
      ;;
    certify)
      compare certify "$all" certify "${test[@]}" --limit=64 --target="$model" \
        --sigma=0.12 --samples=1000 --alpha=0.01
      ;;
    scalecert)
      compare scalecert "$all" certify "${some[@]}" --target="$model" \
        --method=scalecert --patch=2 --keep=0.2
      ;;
    autoattack)
      compare autoattack "2x7" evaluate "${test[@]}" --limit=64 --target="$model" \
        --attack=autoattack --eps=8/255 --check_images=0
      ;;
  esac
done
