#!/usr/bin/env bash
# Compiles the native library: every .cu under src/main/cuda and every .cpp under src/main/cpp, for
# sm_90a, into OUT/libsparkmla.so. Only spark_mla_* and Java_* are visible in it; the CUDA runtime
# is linked in, the driver is looked up when first used, so the library loads without one.
# Fails when ptxas reports a spill or serialized wgmma.
#
#   compile.sh NVCC OUT [extra nvcc flags, such as -I for the JNI headers]
set -euo pipefail
nvcc=$1
out=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out/objects"
toolkit=$(cd "$(dirname "$nvcc")/.." && pwd)
common=(-std=c++17 -O3 -I"$here/src/main/cpp/include" -I"$here/src/main/cuda"
  -I"$toolkit/include" -Xcompiler -fPIC,-fvisibility=hidden,-Wall "$@")
objects=()
while IFS= read -r source; do
  name=${source#"$here/src/main/"}
  object=$out/objects/${name//\//_}.o
  log=$object.log
  objects+=("$object")
  echo "compile $name"
  "$nvcc" "${common[@]}" -gencode arch=compute_90a,code=sm_90a -Xptxas -v -lineinfo -c "$source" \
    -o "$object" >"$log" 2>&1 || { cat "$log"; exit 1; }
  grep -v -E 'ptxas info|bytes stack frame|^$' "$log" || true
  if grep -E '[1-9][0-9]* bytes spill|instructions are serialized' "$log"; then
    echo "$name: spills or serialized wgmma, see $log" >&2
    exit 1
  fi
done < <(find "$here/src/main/cuda" "$here/src/main/cpp" -name '*.cu' -o -name '*.cpp' | sort)
"$nvcc" -shared -cudart static -L"$toolkit/lib" -L"$toolkit/lib64" "${objects[@]}" \
  -Xlinker --exclude-libs,ALL -o "$out/libsparkmla.so"
echo "linked $out/libsparkmla.so"
