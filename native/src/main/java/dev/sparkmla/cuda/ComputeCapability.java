package dev.sparkmla.cuda;

/**
 * A CUDA device's compute capability.
 *
 * @param major 9 on Hopper
 * @param minor 0 on H100, H200 and GH200
 */
public record ComputeCapability(int major, int minor) {
  /** What the kernels of this project are compiled for (sm_90a runs on 9.0 alone). */
  public static final ComputeCapability HOPPER = new ComputeCapability(9, 0);

  @Override
  public String toString() {
    return major + "." + minor;
  }
}
