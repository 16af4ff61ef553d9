package dev.sparkmla.cuda;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Set;
import jcuda.JCudaVersion;
import jcuda.LibUtils;
import jcuda.driver.CUresult;
import jcuda.driver.JCudaDriver;

/**
 * The CUDA driver in this process: brought up once, result codes turned into exceptions. JCuda's
 * own exceptions are a switch for the whole JVM, so codes are checked here instead.
 */
final class Driver {
  /** Codes after which the context is dead; cuda.h says so of each. */
  private static final Set<Integer> FATAL =
      Set.of(
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED);

  /** What the first attempt came to. */
  private static final class Startup {
    static final Reason failure;
    static final String message;

    static {
      Reason reason = null;
      String text = null;
      try {
        start();
      } catch (CudaUnavailableException unavailable) {
        reason = unavailable.reason();
        text = unavailable.getMessage();
      }
      failure = reason;
      message = text;
    }
  }

  private Driver() {}

  /**
   * Makes sure that the driver is loaded and initialized.
   *
   * @throws CudaUnavailableException where it cannot be, every time alike
   */
  static void initialize() {
    if (Startup.failure != null) {
      throw new CudaUnavailableException(Startup.failure, Startup.message);
    }
  }

  private static void start() {
    Platform.requireLinuxX86();
    try {
      loadJCuda();
    } catch (IOException e) {
      throw new CudaUnavailableException(
          Reason.NO_LIBRARY, "JCuda's library cannot be unpacked: " + e.getMessage());
    } catch (UnsatisfiedLinkError e) {
      if (String.valueOf(e.getMessage()).contains("libcuda.so.1")) {
        throw new CudaUnavailableException(
            Reason.NO_DRIVER,
            "no CUDA driver: libcuda.so.1 cannot be loaded on this host; install the NVIDIA driver");
      }
      throw new CudaUnavailableException(
          Reason.NO_LIBRARY, "JCuda's library cannot be loaded: " + e.getMessage());
    }
    int result = JCudaDriver.cuInit(0);
    if (result == CUresult.CUDA_ERROR_NO_DEVICE) {
      throw new CudaUnavailableException(
          Reason.NO_DEVICE,
          "no CUDA device: the driver is there but shows none (see CUDA_VISIBLE_DEVICES)");
    }
    if (result != CUresult.CUDA_SUCCESS) {
      throw new CudaUnavailableException(
          Reason.NO_DRIVER, "no CUDA driver: cuInit answers " + CUresult.stringFor(result));
    }
  }

  /**
   * Loads JCuda's library. Left alone, JCuda unpacks it to a fixed name in java.io.tmpdir, where
   * two processes of a host trip over each other; it takes a file that is there already. So the
   * file is put into our private folder first, and JCuda is shown that folder while it loads.
   */
  private static void loadJCuda() throws IOException {
    String file =
        LibUtils.createLibraryFileName(
            LibUtils.createPlatformLibraryName("JCudaDriver-" + JCudaVersion.get()));
    Path unpacked = NativeFiles.ofThisUser().unpack(file, NativeFiles.resource("/lib/" + file));
    String before = System.getProperty("java.io.tmpdir");
    System.setProperty("java.io.tmpdir", unpacked.getParent().toString());
    try {
      JCudaDriver.setExceptionsEnabled(false);
    } finally {
      System.setProperty("java.io.tmpdir", before);
    }
  }

  /**
   * Returns where {@code result} is success.
   *
   * @throws CudaFatalException where the context is dead
   * @throws CudaException for any other failure
   */
  static void check(int result, String call, GpuDevice device) {
    if (result != CUresult.CUDA_SUCCESS) {
      throw failure(call, result, CUresult.stringFor(result), device);
    }
  }

  /** The exception for a failed call whose code is a CUresult or the cudaError_t equal to it. */
  static CudaException failure(String call, int code, String reason, GpuDevice device) {
    return FATAL.contains(code)
        ? new CudaFatalException(call, code, reason, device)
        : new CudaException(call, code, reason, device);
  }
}
