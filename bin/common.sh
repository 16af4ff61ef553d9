# What the scripts beside it share. Sourced, with `root` set to the repository's folder.

build=$root/build
cache=${SPARK_MLA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/spark-mla}

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

require_maven() {
  command -v mvn >/dev/null || fail "no mvn: install Maven 3.8 or newer"
}

# Around a build: `built` is as old as the sources that the jars in jobs/target are made of.
built=$build/built
start_build() {
  rm -rf "$root/jobs/target/lib" "$root/jobs/target/spark" # there may be jars of other versions
  mkdir -p "$build"
  touch "$built.next"
}
finish_build() {
  mv "$built.next" "$built"
}
