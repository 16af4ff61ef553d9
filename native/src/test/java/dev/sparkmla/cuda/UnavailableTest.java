package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * What a host without a driver, and a build without the library, are told. What is loaded into a
 * process stays, so each case runs in a Java process of its own.
 */
class UnavailableTest {
  @TempDir Path folder;

  /** Prints what asking for devices comes to. */
  static final class ListDevices {
    public static void main(String[] arguments) {
      try {
        System.out.println("devices " + GpuDevice.all());
      } catch (CudaUnavailableException e) {
        System.out.println(e.reason() + ": " + e.getMessage());
      }
    }
  }

  /** Prints what loading the library comes to, twice. */
  static final class LoadLibrary {
    public static void main(String[] arguments) {
      for (int i = 0; i < 2; i++) {
        try {
          NativeLibrary.load();
          System.out.println("loaded " + NativeLibrary.statusString(NativeLibrary.STATUS_OK));
        } catch (CudaUnavailableException e) {
          System.out.println(e.reason() + ": " + e.getMessage());
        }
      }
    }
  }

  @Test
  void aHostWithoutDriverIsToldSo() throws Exception {
    assumeTrue(isLinuxX86() && !driverIsInstalled());
    assertThat(run(ListDevices.class))
        .containsExactly(
            "NO_DRIVER: no CUDA driver: libcuda.so.1 cannot be loaded on this host; install the"
                + " NVIDIA driver");
  }

  @Test
  void aPlatformWithoutCudaIsToldSo() throws Exception {
    assertThat(run(ListDevices.class, "-Dos.name=Plan 9", "-Dos.arch=vax"))
        .containsExactly(
            "NO_DRIVER: no CUDA driver: CUDA is supported on Linux x86_64, this is Plan 9 vax");
  }

  @Test
  void aFileThatIsNoLibraryIsNamed() throws Exception {
    assumeTrue(isLinuxX86());
    Path file = Files.writeString(folder.resolve("broken.so"), "not a library");
    List<String> lines = run(LoadLibrary.class, "-Dspark.mla.native.library=" + file);
    assertThat(lines)
        .hasSize(2)
        .allSatisfy(
            line -> {
              assertThat(line).startsWith("NO_LIBRARY: the CUDA library cannot be loaded: ");
              assertThat(line).contains("broken.so");
            });
  }

  @Test
  void aBuildWithoutTheLibrarySaysHowToGetOne() throws Exception {
    assumeTrue(isLinuxX86());
    // The classes without the library beside them.
    Path classes = folder.resolve("classes");
    for (Class<?> type : List.of(NativeLibrary.class, LoadLibrary.class)) {
      copyPackage(type, classes);
    }
    assertThat(run(classes.toString(), LoadLibrary.class))
        .hasSize(2)
        .allSatisfy(
            line ->
                assertThat(line)
                    .startsWith("NO_LIBRARY: this build holds no CUDA library: it was"));
  }

  @Test
  void theLibraryOfThisBuildLoadsWithoutDriverAndDevice() throws Exception {
    assumeTrue(isLinuxX86() && NativeLibrary.class.getResource(NativeLibrary.RESOURCE) != null);
    assertThat(run(LoadLibrary.class)).containsExactly("loaded success", "loaded success");
    assertThat(folder.resolve("natives")).isDirectoryRecursivelyContaining("glob:**libsparkmla.so");
  }

  private List<String> run(Class<?> main, String... options) throws Exception {
    return run(System.getProperty("java.class.path"), main, options);
  }

  private List<String> run(String classPath, Class<?> main, String... options) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-Dspark.mla.native.directory=" + folder.resolve("natives"));
    command.addAll(List.of(options));
    command.addAll(List.of("-cp", classPath, main.getName()));
    Process process =
        new ProcessBuilder(command).redirectError(folder.resolve("stderr").toFile()).start();
    ByteArrayOutputStream output = new ByteArrayOutputStream();
    try (InputStream stream = process.getInputStream()) {
      stream.transferTo(output);
    }
    assertThat(process.waitFor()).isZero();
    return output.toString(StandardCharsets.UTF_8).lines().toList();
  }

  private static void copyPackage(Class<?> anyClass, Path target) throws IOException {
    Path source = Path.of(anyClass.getProtectionDomain().getCodeSource().getLocation().getPath());
    String folderName = anyClass.getPackageName().replace('.', '/');
    Path directory = Files.createDirectories(target.resolve(folderName));
    try (var files = Files.list(source.resolve(folderName))) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Files.copy(file, directory.resolve(file.getFileName().toString()));
      }
    }
  }

  private static boolean isLinuxX86() {
    return System.getProperty("os.name").equals("Linux")
        && System.getProperty("os.arch").equals("amd64");
  }

  /** Asks the loader without touching this process: /dev/nvidiactl is there with a driver. */
  private static boolean driverIsInstalled() {
    return Files.exists(Path.of("/dev/nvidiactl"))
        || Files.exists(Path.of("/proc/driver/nvidia/version"));
  }

  @Test
  void statusesBecomeTheirExceptions() {
    assumeTrue(isLinuxX86() && NativeLibrary.class.getResource(NativeLibrary.RESOURCE) != null);
    NativeLibrary.load();
    GpuDevice device = FakeDevice.device(9, 0);
    NativeLibrary.check(NativeLibrary.STATUS_OK, "call", device);
    assertThatThrownBy(() -> NativeLibrary.check(4, "spark_mla_decode", device))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("spark_mla_decode")
        .hasMessageContaining("stride");
    assertThatThrownBy(() -> NativeLibrary.check(NativeLibrary.STATUS_CUDA_ERROR, "call", device))
        .isInstanceOf(CudaException.class);
    assertThatThrownBy(
            () -> NativeLibrary.check(NativeLibrary.STATUS_UNSUPPORTED_DEVICE, "call", device))
        .isInstanceOf(CudaUnavailableException.class)
        .hasMessageContaining("NVIDIA H200");
    assertThat(Driver.failure("cuMemcpy", 700, "CUDA_ERROR_ILLEGAL_ADDRESS", device))
        .isInstanceOf(CudaFatalException.class)
        .hasMessageContaining("device 0 (NVIDIA H200)")
        .hasMessageContaining("new process");
    assertThat(Driver.failure("cuMemAlloc", 2, "CUDA_ERROR_OUT_OF_MEMORY", device))
        .isExactlyInstanceOf(CudaException.class);
  }
}
