package dev.sparkmla.cuda;

/** The platform that CUDA code is built for. */
final class Platform {
  private Platform() {}

  /**
   * @throws CudaUnavailableException on anything but Linux on x86_64
   */
  static void requireLinuxX86() {
    String system = System.getProperty("os.name");
    String architecture = System.getProperty("os.arch");
    if (!system.equals("Linux") || !architecture.equals("amd64")) {
      throw new CudaUnavailableException(
          CudaUnavailableException.Reason.NO_DRIVER,
          "no CUDA driver: CUDA is supported on Linux x86_64, this is %s %s"
              .formatted(system, architecture));
    }
  }
}
