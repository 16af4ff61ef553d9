#!/usr/bin/env bash
# Puts libsparkmla.so where the jar takes it from; Maven calls this after javac.
#
#   build.sh CLASSES WORK JAVA_HOME
#     CLASSES    gets native/linux-x86_64/libsparkmla.so
#     WORK       holds include/ (JNI headers from javac) and gets objects and logs
#
# The library is kept in the cache folder (toolchain.sh) under a hash of everything it is made of,
# and compiled only when that hash is new. Where no compiler can be had, or SPARK_MLA_NATIVE_SKIP
# is set, one line says so and the jar has no library. A compiler that fails fails the build.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
classes=$1
work=$2
java_home=$3
target=$classes/native/linux-x86_64/libsparkmla.so

skip() {
  rm -f "$target"
  echo "native: skipped, the jar will hold no CUDA library: $1"
  exit 0
}

[ -z "${SPARK_MLA_NATIVE_SKIP:-}" ] || skip "SPARK_MLA_NATIVE_SKIP is set"
nvcc=$("$here/toolchain.sh") || skip "$nvcc"
[ -f "$java_home/include/jni.h" ] || skip "$java_home has no include/jni.h (a JDK is needed)"

cache=${SPARK_MLA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spark-mla}
version=$("$nvcc" --version | tail -n 1)
hash=$({
  echo "$version"
  g++ -dumpfullversion -dumpversion
  cd "$here"
  find compile.sh src/main/cuda src/main/cpp -type f | LC_ALL=C sort | xargs sha256sum
  cd "$work/include"
  find . -name '*.h' | LC_ALL=C sort | xargs sha256sum
} | sha256sum | cut -c 1-32)
kept=$cache/library/$hash/libsparkmla.so

if [ ! -f "$kept" ]; then
  echo "native: compiling the kernels with $nvcc ($version)"
  "$here/compile.sh" "$nvcc" "$work" -I"$work/include" -I"$java_home/include" \
    -I"$java_home/include/linux"
  mkdir -p "$(dirname "$kept")"
  cp "$work/libsparkmla.so" "$kept.$$"
  mv "$kept.$$" "$kept"
fi
if ! cmp -s "$kept" "$target"; then
  mkdir -p "$(dirname "$target")"
  cp "$kept" "$target"
fi
echo "native: libsparkmla.so for sm_90a, $(stat -c %s "$target") bytes ($version)"
