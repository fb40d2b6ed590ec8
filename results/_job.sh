# For the scripts of this folder, which set `out` and, where they convert, `shared`.

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

convert() { # FOLDER FILE MODEL: a file of SHARED/weights, unless the folder is there
  [ -d "$out/$1" ] ||
    python -m launch.convert --torch="$shared/weights/$2" --model="$3" --out="$out/$1"
}

public_resnet() { # DEPTH [FOLDER]: the plain one of 20 or 32 layers, for `convert`
  local file=resnet20-12fca82f.th
  [ "$1" = 20 ] || file=resnet32-d509ac18.th
  convert "${2:-resnet$1}" "$file" "akamaster_resnet$1"
}

external_networks() { # robust ones that others trained: a name, a file, a model a line
  cat <<'NETWORKS'
resnet4b external/resnet4b.pth resnet4b
resnet2b external/resnet2b.pth resnet2b
cnn_a_adv external/cifar_cnn_a_adv.model cifar_cnn_a
cnn_a_adv4 external/cifar_cnn_a_adv4.model cifar_cnn_a
oval_wide external/cifar_wide.pth oval_wide
oval_deep external/cifar_deep.pth oval_deep
oval_base external/cifar_base.pth oval_base
conv_small external/cifar_conv_small_pgd.pth cifar_conv_small_pgd
NETWORKS
}
