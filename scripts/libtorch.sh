#!/usr/bin/env bash
# Brings libtorch 2.11.0 into the cache and links it as .libtorch, where cargo looks for it (.cargo/config.toml).
#
#   scripts/libtorch.sh cpu     the CPU libraries (three wheels, 545 MB to download once, 0.6 GB kept)
#   scripts/libtorch.sh cuda    the CUDA libraries (the same torch wheel and its nvidia wheels, about 2.5 GB more)
#
# The wheels come from PyPI by name and are checked against the hashes below. They are kept in $AQA_CACHE
# (default ~/.cache/aqa-bench), so a second checkout needs no network. A LIBTORCH that you set yourself wins,
# when it is version 2.11.0.
set -euo pipefail

version=2.11.0
device=${1:-cpu}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${AQA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aqa-bench}
wheels=$cache/wheels
link=$root/.libtorch

say() { printf 'libtorch: %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit "${code:-4}"; }
need() { command -v "$1" >/dev/null 2>&1 || die "$1 not found: $2"; }

case $device in cpu | cuda) ;; *) code=2 die "DEVICE: expected cpu or cuda, found '$device'" ;; esac

# The version that the headers of a libtorch folder state.
header_version() {
  local h=$1/include/torch/headeronly/version.h
  [ -f "$h" ] || h=$1/include/torch/csrc/api/include/torch/version.h
  [ -f "$h" ] || return 1
  sed -n 's/^#define TORCH_VERSION_\(MAJOR\|MINOR\|PATCH\) \([0-9]*\).*/\2/p' "$h" | paste -sd.
}

if [ -n "${LIBTORCH:-}" ]; then
  found=$(header_version "$LIBTORCH") || die "LIBTORCH=$LIBTORCH: no include/torch/version.h there; unset LIBTORCH to let this script fetch libtorch $version"
  [ "$found" = "$version" ] || die "LIBTORCH=$LIBTORCH: expected libtorch $version, its headers say $found; unset LIBTORCH to let this script fetch it"
  case $(cat "$LIBTORCH/build-version" 2>/dev/null || true) in
    "$version"*) ;;
    *) die "LIBTORCH=$LIBTORCH: torch-sys wants a file build-version holding $version there; write it: echo $version > '$LIBTORCH/build-version'" ;;
  esac
  say "using LIBTORCH=$LIBTORCH ($version)"
  exit 0
fi

# Asked first, so that a missing tool is told before half a gigabyte is fetched.
need cargo "install the Rust toolchain from https://rustup.rs"
need c++ "install a C++17 compiler (Debian, Ubuntu: apt install g++)"
echo 'int main() { if constexpr (true) return 0; }' | c++ -std=c++17 -x c++ -fsyntax-only - 2>/dev/null ||
  die "c++ does not take C++17: install g++ 9 or newer"
[ "$(uname -sm)" = "Linux x86_64" ] || die "expected Linux on x86-64, found $(uname -sm): set LIBTORCH to a libtorch $version for this machine"

ready() { [ "$(cat "$1/build-version" 2>/dev/null)" = "$version" ] && [ -f "$1/complete" ]; }
linked() { ln -sfn "$1" "$link"; }

target=$cache/libtorch-$version-$device
if ready "$target"; then
  linked "$target"
  exit 0
fi

need python3 "install python3 (Debian, Ubuntu: apt install python3 python3-pip)"
python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip: install it (Debian, Ubuntu: apt install python3-pip)"
mkdir -p "$wheels" || die "cannot write to the cache $cache: set AQA_CACHE to a folder that can be written"

# name==version | file | sha256
torch_wheel="torch==$version|torch-2.11.0-cp311-cp311-manylinux_2_28_x86_64.whl|7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a"
cpu_wheels="nvidia-cuda-runtime==13.0.96|nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl|7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
nvidia-cuda-cupti==13.0.85|nvidia_cuda_cupti-13.0.85-py3-none-manylinux_2_25_x86_64.whl|4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"

platforms=()
for p in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_24 manylinux_2_17 manylinux2014 manylinux1; do
  platforms+=(--platform "${p}_x86_64")
done

sha256() { sha256sum "$1" | cut -d' ' -f1; }

fetch() { # name==version file sha256
  local path=$wheels/$2 found
  if [ -f "$path" ]; then
    found=$(sha256 "$path")
    [ "$found" = "$3" ] && return 0
    say "$path is damaged (sha256 $found), fetching it again"
    rm -f "$path"
  fi
  say "fetching $1"
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
    --implementation cp --abi cp311 --abi abi3 --abi none "${platforms[@]}" --dest "$wheels" "$1" >&2 ||
    die "pip could not download $1: check the network (pip config, proxies), or put $2 into $wheels by hand"
  [ -f "$path" ] || die "pip fetched another file than $2 for $1 (see $wheels)"
  found=$(sha256 "$path")
  [ "$found" = "$3" ] || die "$2: expected sha256 $3, found $found; remove $path and try again"
}

unpack() { # wheel destination pattern...: members whose name matches a pattern, put below destination without the first prefix
  python3 - "$@" <<'PY'
import fnmatch, os, shutil, sys, zipfile
wheel, dest, *rules = sys.argv[1:]
taken = 0
with zipfile.ZipFile(wheel) as z:
    for rule in rules:
        pattern, prefix, to = rule.split("=>")
        hits = [i for i in z.infolist() if fnmatch.fnmatch(i.filename, pattern) and not i.is_dir()]
        if not hits:
            sys.exit(f"error: {wheel}: nothing matches {pattern}")
        for i in hits:
            path = os.path.join(dest, to, i.filename[len(prefix):])
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with z.open(i) as src, open(path, "wb") as out:
                shutil.copyfileobj(src, out, 1 << 20)
            taken += 1
print(f"libtorch: {taken} files from {os.path.basename(wheel)}", file=sys.stderr)
PY
}

split() { IFS='|' read -r requirement file digest <<<"$1"; }

staging=$target.part.$$
trap 'rm -rf "$staging"' EXIT
mkdir -p "$staging/lib"

split "$torch_wheel"
fetch "$requirement" "$file" "$digest"
if [ "$device" = cpu ]; then
  unpack "$wheels/$file" "$staging" 'torch/include/*=>torch/include/=>include' 'torch/share/*=>torch/share/=>share' \
    'torch/lib/libtorch_cpu.so=>torch/lib/=>lib' 'torch/lib/libc10.so=>torch/lib/=>lib' 'torch/lib/libgomp*=>torch/lib/=>lib'
  while read -r line; do
    split "$line"
    fetch "$requirement" "$file" "$digest"
    unpack "$wheels/$file" "$staging" 'nvidia/cu13/lib/libcu*.so.13=>nvidia/cu13/lib/=>lib'
  done <<<"$cpu_wheels"
  # tch links -ltorch; the wheel's own libtorch.so pulls in the CUDA libraries, so an empty one stands in its place.
  echo | c++ -shared -o "$staging/lib/libtorch.so" -x c++ -
else
  unpack "$wheels/$file" "$staging" 'torch/include/*=>torch/include/=>include' 'torch/share/*=>torch/share/=>share' \
    'torch/lib/*.so*=>torch/lib/=>lib'
  # The CUDA libraries are the ones that the torch wheel itself requires, at the versions that its metadata pins; pip checks
  # each against the index's hash, and what came is recorded beside the library.
  python3 -m zipfile -e "$wheels/$file" "$staging/wheel" 2>/dev/null || true
  metadata=$(python3 - "$wheels/$file" <<'PY'
import sys, zipfile, re
with zipfile.ZipFile(sys.argv[1]) as z:
    name = next(n for n in z.namelist() if n.endswith(".dist-info/METADATA"))
    for line in z.read(name).decode().splitlines():
        m = re.match(r"Requires-Dist: ((?:nvidia|cuda)[\w.-]*)(\[[^\]]*\])?\s*(\(?[<>=!~][^;)]*\)?)?", line)
        if m:
            print(m.group(1) + (m.group(2) or "") + (m.group(3) or "").strip("() "))
PY
)
  rm -rf "$staging/wheel"
  mkdir -p "$wheels/cuda"
  say "fetching the CUDA libraries: $(echo $metadata)"
  # shellcheck disable=SC2086
  python3 -m pip download --quiet --disable-pip-version-check --only-binary=:all: --python-version 3.11 --implementation cp \
    --abi cp311 --abi abi3 --abi none "${platforms[@]}" --dest "$wheels/cuda" $metadata >&2 ||
    die "pip could not download the CUDA wheels: check the network"
  for wheel in "$wheels"/cuda/nvidia_*.whl; do
    python3 - "$wheel" <<'PY' || continue
import sys, zipfile
sys.exit(0 if any("/lib/lib" in n for n in zipfile.ZipFile(sys.argv[1]).namelist()) else 1)
PY
    unpack "$wheel" "$staging/nvidia-tmp" 'nvidia/*/lib/lib*.so*=>=>'
    find "$staging/nvidia-tmp" -name 'lib*.so*' -exec mv -f {} "$staging/lib/" \;
    rm -rf "$staging/nvidia-tmp"
  done
  (cd "$wheels/cuda" && sha256sum ./*.whl) >"$staging/cuda-wheels.sha256"
fi

echo "$version" >"$staging/build-version"
found=$(header_version "$staging") || die "the torch wheel holds no version header"
[ "$found" = "$version" ] || die "the headers of the torch wheel say $found, expected $version"
touch "$staging/complete"
rm -rf "$target"
mv "$staging" "$target"
linked "$target"
say "$version for $device is in $target"
