package dev.sparkmla.cuda;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.nio.file.Path;

/**
 * The project's own shared library: loading it, and the meaning of its statuses. {@link
 * NativeDecode}, {@link NativePrefill}, {@link NativeExperts}, {@link NativeOperations}, {@link
 * NativeFloat8} and {@link NativeGemm} declare the functions in it.
 *
 * <p>A function takes its arguments in one array of numbers, and its class names the place of each:
 * integers and addresses as they are, a float as its {@link Float#floatToRawIntBits}, a double as
 * its {@link Double#doubleToRawLongBits}, a boolean as 1 or 0. What is left 0 is zero or null. A
 * result is written to the first place of an array of its own. jni_arguments.h is the other side.
 *
 * <p>The library is taken from the jar, or from the file that the system property {@code
 * spark.mla.native.library} names. The functions are safe to call from any thread once {@link
 * #load} has returned.
 */
final class NativeLibrary {
  /** System property with a library file to load instead of the one in the jar. */
  static final String LIBRARY_PROPERTY = "spark.mla.native.library";

  static final String RESOURCE = "/native/linux-x86_64/libsparkmla.so";

  /** The version of spark_mla.h that these classes are written for. */
  private static final int ABI_VERSION = 3;

  // Statuses of spark_mla.h that are told apart here; jni_library.cpp asserts that they agree.
  static final int STATUS_OK = 0;
  static final int STATUS_UNSUPPORTED_DEVICE = 8;
  static final int STATUS_NO_DRIVER = 9;
  static final int STATUS_CUDA_ERROR = 10;

  /** The place of the stream in the array of arguments of every call that enqueues something. */
  static final int STREAM = 0;

  /** What the first attempt came to: null where the library is loaded. */
  private static final class Startup {
    static final String failure = start();

    private static String start() {
      try {
        String override = System.getProperty(LIBRARY_PROPERTY);
        Path file =
            override != null
                ? Path.of(override).toAbsolutePath()
                : NativeFiles.ofThisUser().unpack("libsparkmla.so", NativeFiles.resource(RESOURCE));
        System.load(file.toString());
      } catch (FileNotFoundException e) {
        return "this build holds no CUDA library: it was made on a machine without nvcc; build"
            + " spark-mla-native where native/toolchain.sh finds one";
      } catch (IOException e) {
        return "the CUDA library cannot be unpacked: " + e.getMessage();
      } catch (UnsatisfiedLinkError e) {
        return "the CUDA library cannot be loaded: " + e.getMessage();
      }
      int version = abiVersion();
      return version == ABI_VERSION
          ? null
          : "the CUDA library has version %d of its interface, %d is needed; rebuild it"
              .formatted(version, ABI_VERSION);
    }
  }

  private NativeLibrary() {}

  /**
   * Makes sure that the library is loaded.
   *
   * @throws CudaUnavailableException where it cannot be, every time alike
   */
  static void load() {
    Platform.requireLinuxX86();
    if (Startup.failure != null) {
      throw new CudaUnavailableException(Reason.NO_LIBRARY, Startup.failure);
    }
  }

  /**
   * Returns where a status of spark_mla.h is success.
   *
   * @throws CudaArgumentException where the library refused an argument
   * @throws CudaUnavailableException where the device or driver will not do
   * @throws CudaException where a CUDA call inside failed
   */
  static void check(int status, String call, GpuDevice device) {
    switch (status) {
      case STATUS_OK -> {}
      case STATUS_UNSUPPORTED_DEVICE ->
          throw new CudaUnavailableException(
              Reason.UNSUPPORTED_DEVICE,
              "%s: %s: %s".formatted(call, device, statusString(status)));
      case STATUS_NO_DRIVER ->
          throw new CudaUnavailableException(
              Reason.NO_DRIVER, "no CUDA driver for %s: %s".formatted(call, lastCudaErrorString()));
      case STATUS_CUDA_ERROR ->
          throw Driver.failure(call, lastCudaError(), lastCudaErrorString(), device);
      default -> throw new CudaArgumentException("%s: %s".formatted(call, statusString(status)));
    }
  }

  static native int abiVersion();

  static native String statusString(int status);

  static native int lastCudaError();

  static native String lastCudaErrorString();
}
