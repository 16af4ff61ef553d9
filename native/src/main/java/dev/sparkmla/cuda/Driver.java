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
 * The CUDA driver in this process: initializes it once, and turns its result codes into exceptions.
 * JCuda could throw exceptions itself, but only for the whole JVM at once.
 */
final class Driver {
  /** CUDA_ERROR_CONTAINED of cuda.h, which JCuda does not name. */
  private static final int CONTAINED = 226;

  /**
   * Codes after which the context is lost. cuda.h says of most that the process must be started
   * anew; an unknown error may be any of them.
   */
  private static final Set<Integer> FATAL =
      Set.of(
          CUresult.CUDA_ERROR_ECC_UNCORRECTABLE,
          CUresult.CUDA_ERROR_NVLINK_UNCORRECTABLE,
          CONTAINED,
          CUresult.CUDA_ERROR_ILLEGAL_ADDRESS,
          CUresult.CUDA_ERROR_LAUNCH_TIMEOUT,
          CUresult.CUDA_ERROR_CONTEXT_IS_DESTROYED,
          CUresult.CUDA_ERROR_ASSERT,
          CUresult.CUDA_ERROR_HARDWARE_STACK_ERROR,
          CUresult.CUDA_ERROR_ILLEGAL_INSTRUCTION,
          CUresult.CUDA_ERROR_MISALIGNED_ADDRESS,
          CUresult.CUDA_ERROR_INVALID_ADDRESS_SPACE,
          CUresult.CUDA_ERROR_INVALID_PC,
          CUresult.CUDA_ERROR_LAUNCH_FAILED,
          CUresult.CUDA_ERROR_MPS_CLIENT_TERMINATED,
          CUresult.CUDA_ERROR_EXTERNAL_DEVICE,
          CUresult.CUDA_ERROR_UNKNOWN);

  /** The outcome of the first attempt: both null where the driver is initialized. */
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
          Reason.NO_DRIVER, "no CUDA driver: cuInit returned " + CUresult.stringFor(result));
    }
  }

  /**
   * Loads JCuda's library. By itself JCuda unpacks it to a fixed name in java.io.tmpdir, where two
   * processes of a host disturb each other. It uses a file that exists there already, so the file
   * is put into our private folder first, and java.io.tmpdir names that folder while JCuda loads.
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
   * @throws CudaFatalException where the context is lost
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
