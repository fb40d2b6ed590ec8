# For the scripts beside it, which set `out`.

job() { # MAIN FOLDER FLAGS...: runs a main unless its summary is there
  local name=$1 folder=$2
  shift 2
  [ -f "$out/$folder/summary.json" ] && return
  python -m "launch.$name" --out="$out/$folder" "$@" 2>>"$out/log.txt" >/dev/null ||
    { tail -n 3 "$out/log.txt" >&2; exit 1; }
}
