#!/usr/bin/env bash
# Finds or fetches the CUDA compiler. Prints the path of nvcc and exits 0; where none can be had
# prints the reason, one line, and exits 1. Says on stderr when it fetches.
#
# Looked for in this order: nvcc on PATH; CUDA_HOME (bin/nvcc); a virtual environment of PyPI's
# cuda-toolkit packages under the cache folder, made on first use.
#
#   SPARK_MLA_CACHE   the cache folder; default $XDG_CACHE_HOME/spark-mla or ~/.cache/spark-mla
set -uo pipefail

cache=${SPARK_MLA_CACHE:-${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}/spark-mla}
toolkit='cuda-toolkit[nvcc,cudart,cccl,crt,nvvm]==13.0.*'
environment=$cache/cuda-toolkit-13.0
oldest=12.4

refuse() {
  echo "$1"
  exit 1
}

# The release that an nvcc says it is, if that is new enough for these kernels.
release_of() {
  local release
  release=$("$1" --version 2>/dev/null | sed -n 's/.*release \([0-9.]*\).*/\1/p')
  [ -n "$release" ] && [ "$(printf '%s\n' "$oldest" "$release" | sort -V | head -n 1)" = "$oldest" ]
}

nvcc_of_environment() {
  find "$environment/lib" -path '*/nvidia/cu13/bin/nvcc' 2>/dev/null | head -n 1
}

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) ;;
  *) refuse "the kernels are built on Linux x86_64, this is $(uname -s) $(uname -m)" ;;
esac
command -v g++ >/dev/null || refuse "g++ is not on PATH"

on_path=$(command -v nvcc || true)
for candidate in ${on_path:+"$on_path"} ${CUDA_HOME:+"$CUDA_HOME/bin/nvcc"}; do
  if [ -x "$candidate" ] && release_of "$candidate"; then
    readlink -f "$candidate"
    exit 0
  fi
done

found=$(nvcc_of_environment)
if [ -z "$found" ]; then
  command -v python3 >/dev/null || refuse "no nvcc on PATH or in CUDA_HOME, and no python3 to fetch one"
  mkdir -p "$cache" 2>/dev/null || refuse "no nvcc on PATH or in CUDA_HOME, and $cache cannot be written"
  fresh=$(mktemp -d "$cache/fetching.XXXXXX") || refuse "$cache cannot be written"
  trap 'rm -rf "$fresh"' EXIT
  echo "native: fetching the CUDA 13.0 compiler from PyPI into $environment (once, about 250 MB)" >&2
  python3 -m venv "$fresh" >/dev/null 2>&1 ||
    refuse "no nvcc on PATH or in CUDA_HOME, and python3 cannot make a virtual environment"
  "$fresh/bin/python" -m pip install --quiet --disable-pip-version-check --retries 1 --timeout 20 \
    "$toolkit" >"$fresh/pip.log" 2>&1 ||
    refuse "no nvcc on PATH or in CUDA_HOME, and PyPI did not give one: $(tail -n 1 "$fresh/pip.log")"
  # Another build may have been faster: whichever is there first stays.
  mv -T "$fresh" "$environment" 2>/dev/null || true
  found=$(nvcc_of_environment)
fi
[ -n "$found" ] && release_of "$found" || refuse "the nvcc under $environment does not run"
echo "$found"
