# What the scripts beside it share. Sourced, with `root` set to the repository's folder.

build=$root/build
python_tests=(jobs/src/test/python jobs/demo-model/tests notebooks/tests) # from the root

# Arguments and names of files are UTF-8, also where the environment says nothing (containers) or C.
# Java goes by the locale; where the one here has no UTF-8, C.UTF-8 takes its place.
case $(locale charmap 2>/dev/null) in
  UTF-8) ;;
  *) export LC_ALL=C.UTF-8 ;;
esac

fail() {
  echo "$(basename "$0"): $*" >&2
  exit 1
}

# Sets `java` to a Java 17 or newer: JAVA_HOME's, else the PATH's.
require_java() {
  if [ -n "${JAVA_HOME:-}" ]; then
    java=$JAVA_HOME/bin/java
    [ -x "$java" ] || fail "JAVA_HOME is $JAVA_HOME, where there is no bin/java"
  else
    java=$(command -v java) || fail "no java: install a JDK 17 or newer, or set JAVA_HOME"
  fi
  local version
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  [ "${version:-0}" -ge 17 ] || fail "$java is Java ${version:-unknown}: Java 17 or newer is needed"
}

# Hadoop asks the system for the user's name, and Java for the user's home.
require_user_name() {
  id -un >/dev/null 2>&1 ||
    fail "the user $(id -u) has no name, which Hadoop needs: run as another user, or add this one to /etc/passwd"
}

require_maven() {
  command -v mvn >/dev/null || fail "no mvn: install Maven 3.8 or newer"
}

# Sets `jar` to the one that Spark is given.
find_jar() {
  jar=$(ls "$root"/assembly/target/spark-mla-spark_*.jar | head -n 1)
}

# Around a build: `built` is as old as the sources that the jar in assembly/target is made of.
built=$build/built
start_build() {
  # There may be jars of other versions, and a build that is interrupted leaves none.
  rm -rf "$built" "$root"/assembly/target/*.jar "$root/jobs/target/spark"
  mkdir -p "$build"
  touch "$built.next"
}
finish_build() {
  mv "$built.next" "$built"
}

# Whether the jar is there and as new as its sources.
is_built() {
  [ -f "$built" ] && [ -f "$root/jobs/target/spark.classpath" ] || return 1
  [ -z "$(find "$root/pom.xml" "$root"/{foundation,native,spark-plugin,jobs,assembly}/pom.xml "$root"/native/*.sh \
    "$root"/{foundation,native,spark-plugin,jobs,assembly}/src/main "$root/jobs/demo-model/model" \
    "$root/jobs/sample-data" -newer "$built" -type f | head -n 1)" ]
}

# A tree that another user built can be used, but neither built nor linked by this one.
require_writable() {
  local folder=$1
  while [ ! -e "$folder" ]; do folder=$(dirname "$folder"); done
  [ -w "$folder" ] ||
    fail "$folder belongs to $(stat -c %U "$folder" 2>/dev/null || echo another user) and you cannot write there: build as that user, or in a copy of your own"
}

# Kernels are for GPUs: where there is none, and no compiler either, do not fetch one.
skip_kernels_without_gpu() {
  if [ ! -e /dev/nvidiactl ] && ! command -v nvcc >/dev/null; then
    export SPARK_MLA_NATIVE_SKIP=${SPARK_MLA_NATIVE_SKIP:-1}
  fi
}

build_jar() {
  require_maven
  require_writable "$build"
  require_writable "$root/jobs/target"
  skip_kernels_without_gpu
  start_build
  local log=$build/build.log start=$SECONDS
  echo "building (the first time fetches Spark; log: build/build.log)" >&2
  (cd "$root" && exec mvn -B -pl assembly -am package -Dmaven.test.skip=true -Dspotless.check.skip=true) \
    >"$log" 2>&1 &
  local maven=$!
  while kill -0 "$maven" 2>/dev/null; do
    [ ! -t 2 ] || printf '\rbuilding, %d s ' $((SECONDS - start)) >&2
    sleep 1
  done
  if ! wait "$maven"; then
    [ ! -t 2 ] || echo >&2
    grep -m 20 'ERROR' "$log" >&2 || tail -n 20 "$log" >&2
    fail "the build failed; all of it is in $log"
  fi
  finish_build
  if [ -t 2 ]; then printf '\r' >&2; fi
  echo "built in $((SECONDS - start)) s" >&2
}

# Sets `python` to that of an environment with the packages of the requirements files $@, made the first time;
# where it cannot be made, sets `reason`.
find_python() {
  local requirements=("$@") venv cache
  cache=${SPARK_MLA_CACHE:-${XDG_CACHE_HOME:-${HOME:-$build}/.cache}/spark-mla}
  python=$(command -v python3) || {
    reason="there is no python3"
    return 1
  }
  venv=$cache/python-$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  venv=$venv-$(cat "${requirements[@]}" | cksum | cut -d ' ' -f 1)
  if [ ! -f "$venv/ready" ]; then
    echo "fetching Python packages (the first time only; log: build/pip.log)"
    rm -rf "$venv"
    mkdir -p "$cache" "$build"
    if ! { "$python" -m venv "$venv" && "$venv/bin/python" -m pip install "${requirements[@]/#/--requirement=}"; } \
      >"$build/pip.log" 2>&1; then
      reason="their packages cannot be had: $(tail -n 1 "$build/pip.log")"
      return 1
    fi
    touch "$venv/ready"
  fi
  python=$venv/bin/python
}
