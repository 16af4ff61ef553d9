package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** toolchain.sh and build.sh on hosts that have this or that: a PATH of chosen programs. */
class ToolchainTest {
  private static final List<String> TOOLS =
      List.of(
          "bash",
          "cat",
          "cmp",
          "cp",
          "cut",
          "dirname",
          "find",
          "g++",
          "grep",
          "head",
          "mkdir",
          "mktemp",
          "mv",
          "readlink",
          "rm",
          "sed",
          "sha256sum",
          "sort",
          "stat",
          "tail",
          "uname",
          "xargs");

  private record Result(int status, List<String> out, List<String> error) {}

  @TempDir Path folder;
  private Path bin;
  private final Map<String, String> environment = new HashMap<>();

  @BeforeEach
  void choosePrograms() throws IOException {
    assumeTrue(System.getProperty("os.name").equals("Linux"));
    bin = Files.createDirectory(folder.resolve("bin"));
    for (String tool : TOOLS) {
      for (String directory : List.of("/usr/bin", "/bin")) {
        Path file = Path.of(directory, tool);
        if (Files.exists(file) && !Files.exists(bin.resolve(tool))) {
          program(bin.resolve(tool), "exec " + file + " \"$@\"");
        }
      }
    }
    assumeTrue(Files.exists(bin.resolve("g++")));
    program(bin.resolve("uname"), "[ \"$1\" = -s ] && echo Linux || echo x86_64");
    environment.put("PATH", bin.toString());
    environment.put("SPARK_MLA_CACHE", folder.resolve("cache").toString());
  }

  @Test
  void takesTheCompilerOnThePath() throws Exception {
    Path nvcc = nvcc(bin, "13.0");
    assertThat(toolchain()).isEqualTo(new Result(0, List.of(nvcc.toString()), List.of()));
  }

  @Test
  void passesOverACompilerThatIsTooOld() throws Exception {
    nvcc(bin, "11.8");
    Path nvcc = nvcc(folder.resolve("home/bin"), "12.8");
    environment.put("CUDA_HOME", folder.resolve("home").toString());
    assertThat(toolchain().out()).containsExactly(nvcc.toString());
  }

  @Test
  void takesAnEnvironmentMadeBefore() throws Exception {
    Path nvcc =
        nvcc(
            folder.resolve("cache/cuda-toolkit-13.0/lib/python3.12/site-packages/nvidia/cu13/bin"),
            "13.0");
    assertThat(toolchain().out()).containsExactly(nvcc.toString());
  }

  @Test
  void makesAnEnvironmentOnceAndLeavesNothingElseBehind() throws Exception {
    // Stands for python3: makes an environment, whose pip installs an nvcc.
    program(
        bin.resolve("python3"),
        """
        mkdir -p "$3/bin" && cat >"$3/bin/python" <<'EOS'
        #!/bin/bash
        root=$(dirname "$(dirname "$0")")/lib/python3.12/site-packages/nvidia/cu13/bin
        mkdir -p "$root"
        printf '#!/bin/bash\\necho release 13.0, V13.0.88\\n' >"$root/nvcc"
        /bin/chmod +x "$root/nvcc"
        EOS
        /bin/chmod +x "$3/bin/python\"""");
    Result first = toolchain();
    assertThat(first.status()).isZero();
    assertThat(first.error()).singleElement().asString().startsWith("native: fetching the CUDA");
    assertThat(first.out().get(0)).startsWith(folder.resolve("cache/cuda-toolkit-13.0").toString());

    Result second = toolchain();
    assertThat(second).isEqualTo(new Result(0, first.out(), List.of()));
    try (var files = Files.list(folder.resolve("cache"))) {
      assertThat(files).hasSize(1);
    }
  }

  @Test
  void saysWhatPypiSaid() throws Exception {
    program(
        bin.resolve("python3"),
        """
        mkdir -p "$3/bin" && cat >"$3/bin/python" <<'EOS'
        #!/bin/bash
        echo "ERROR: no route to host"
        exit 1
        EOS
        /bin/chmod +x "$3/bin/python\"""");
    Result result = toolchain();
    assertThat(result.status()).isEqualTo(1);
    assertThat(result.out())
        .containsExactly(
            "no nvcc on PATH or in CUDA_HOME, and PyPI did not give one: ERROR: no route to host");
    try (var files = Files.list(folder.resolve("cache"))) {
      assertThat(files).isEmpty();
    }
  }

  @Test
  void saysWhatIsMissing() throws Exception {
    assertThat(toolchain().out())
        .containsExactly("no nvcc on PATH or in CUDA_HOME, and no python3 to fetch one");
    Files.delete(bin.resolve("g++"));
    assertThat(toolchain().out()).containsExactly("g++ is not on PATH");
    program(bin.resolve("uname"), "[ \"$1\" = -s ] && echo Darwin || echo arm64");
    assertThat(toolchain().out())
        .containsExactly("the kernels are built on Linux x86_64, this is Darwin arm64");
  }

  @Test
  void aBuildWithoutCompilerGoesOnWithOneLineAndWithoutStaleLibrary() throws Exception {
    Path stale = folder.resolve("classes/native/linux-x86_64/libsparkmla.so");
    Files.createDirectories(stale.getParent());
    Files.writeString(stale, "from another day");

    Result result = build();

    assertThat(result.status()).isZero();
    assertThat(result.out())
        .containsExactly(
            "native: skipped, the jar will hold no CUDA library: no nvcc on PATH or in CUDA_HOME,"
                + " and no python3 to fetch one");
    assertThat(stale).doesNotExist();
  }

  @Test
  void aBuildMayBeToldToSkip() throws Exception {
    nvcc(bin, "13.0");
    environment.put("SPARK_MLA_NATIVE_SKIP", "1");
    assertThat(build())
        .isEqualTo(
            new Result(
                0,
                List.of(
                    "native: skipped, the jar will hold no CUDA library: SPARK_MLA_NATIVE_SKIP is"
                        + " set"),
                List.of()));
  }

  @Test
  void aCompilerThatFailsFailsTheBuild() throws Exception {
    Path nvcc = bin.resolve("nvcc");
    program(
        nvcc,
        """
        if [ "$1" = --version ]; then echo "release 13.0, V13.0.88"; exit 0; fi
        echo "error: no such thing"
        exit 2""");
    assertThat(build().status()).isNotZero();
    assertThat(folder.resolve("classes/native/linux-x86_64/libsparkmla.so")).doesNotExist();
  }

  private Path nvcc(Path directory, String release) throws IOException {
    Files.createDirectories(directory);
    Path file = directory.resolve("nvcc");
    program(file, "echo \"Cuda compilation tools, release " + release + ", V" + release + ".88\"");
    return file.toRealPath();
  }

  private static void program(Path file, String body) throws IOException {
    Files.deleteIfExists(file);
    Files.writeString(file, "#!/bin/bash\n" + body + "\n");
    Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  private Result toolchain() throws Exception {
    return run("toolchain.sh");
  }

  private Result build() throws Exception {
    Files.createDirectories(folder.resolve("work/include"));
    return run(
        "build.sh",
        folder.resolve("classes").toString(),
        folder.resolve("work").toString(),
        System.getProperty("java.home"));
  }

  private Result run(String script, String... arguments) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(bin.resolve("bash").toString());
    command.add(Path.of(script).toAbsolutePath().toString());
    command.addAll(List.of(arguments));
    Path out = folder.resolve("out");
    Path error = folder.resolve("error");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectOutput(out.toFile()).redirectError(error.toFile());
    builder.environment().clear();
    builder.environment().putAll(environment);
    int status = builder.start().waitFor();
    return new Result(
        status,
        Files.readAllLines(out, StandardCharsets.UTF_8),
        Files.readAllLines(error, StandardCharsets.UTF_8));
  }
}
