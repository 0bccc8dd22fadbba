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
# The build looks at the time of build-version to see that another libtorch stands there now.
linked() {
  [ "$(readlink "$link" 2>/dev/null)" = "$1" ] || touch "$1/build-version"
  ln -sfn "$1" "$link"
}

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
# What torch 2.11.0 asks for beside those two, as pip resolves it for Linux x86-64 (its metadata names cuda-toolkit 13.0.2).
cuda_wheels="$cpu_wheels
nvidia-cublas==13.1.0.3|nvidia_cublas-13.1.0.3-py3-none-manylinux_2_27_x86_64.whl|ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171
nvidia-cuda-nvrtc==13.0.88|nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl|ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575
nvidia-cudnn-cu13==9.19.0.56|nvidia_cudnn_cu13-9.19.0.56-py3-none-manylinux_2_27_x86_64.whl|d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf
nvidia-cufft==12.0.0.61|nvidia_cufft-12.0.0.61-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl|6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3
nvidia-cufile==1.15.1.6|nvidia_cufile-1.15.1.6-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl|08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44
nvidia-curand==10.4.0.35|nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl|1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc
nvidia-cusolver==12.0.4.66|nvidia_cusolver-12.0.4.66-py3-none-manylinux_2_27_x86_64.whl|0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112
nvidia-cusparse==12.6.3.3|nvidia_cusparse-12.6.3.3-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl|2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b
nvidia-cusparselt-cu13==0.8.0|nvidia_cusparselt_cu13-0.8.0-py3-none-manylinux2014_x86_64.whl|25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd
nvidia-nccl-cu13==2.28.9|nvidia_nccl_cu13-2.28.9-py3-none-manylinux_2_18_x86_64.whl|e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42
nvidia-nvjitlink==13.0.88|nvidia_nvjitlink-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl|13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b
nvidia-nvshmem-cu13==3.4.5|nvidia_nvshmem_cu13-3.4.5-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl|290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80
nvidia-nvtx==13.0.85|nvidia_nvtx-13.0.85-py3-none-manylinux1_x86_64.manylinux_2_5_x86_64.whl|4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4"

platforms=()
# pip takes a tag only when it is named exactly.
for p in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_18 manylinux_2_17 manylinux2014 manylinux2010 manylinux_2_5; do
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
  while read -r line; do
    split "$line"
    fetch "$requirement" "$file" "$digest"
    # Every package has its libraries in nvidia/NAME/lib: they go into one folder, where libtorch finds them beside itself.
    unpack "$wheels/$file" "$staging/nvidia" 'nvidia/*/lib/*lib*.so*=>nvidia/=>'
  done <<<"$cuda_wheels"
  find "$staging/nvidia" -type f -name 'lib*.so*' -exec mv -f {} "$staging/lib/" \;
  rm -rf "$staging/nvidia"
fi

echo "$version" >"$staging/build-version"
found=$(header_version "$staging") || die "the torch wheel holds no version header"
[ "$found" = "$version" ] || die "the headers of the torch wheel say $found, expected $version"
touch "$staging/complete"
rm -rf "$target"
mv "$staging" "$target"
linked "$target"
say "$version for $device is in $target"
