# For the scripts of this folder, which set `out`.

job() { # MAIN FOLDER FLAGS...: runs a main unless its summary is there
  local name=$1 folder=$2
  shift 2
  [ -f "$out/$folder/summary.json" ] && return
  python -m "launch.$name" --out="$out/$folder" "$@" 2>>"$out/log.txt" >/dev/null ||
    { tail -n 3 "$out/log.txt" >&2; exit 1; }
}

page() { # FILE BENCHMARK FLAGS...: what a benchmark prints, unless it is there
  local file=$1 name=$2
  shift 2
  [ -f "$out/$file.md" ] && return
  echo "$name $*" >&2
  { echo "    python -m benchmarks.$name $*" && echo; } >"$out/$file.part"
  python -m "benchmarks.$name" "$@" >>"$out/$file.part" 2>>"$out/log.txt" ||
    { tail -n 3 "$out/log.txt" >&2; exit 1; }
  mv "$out/$file.part" "$out/$file.md"
}
