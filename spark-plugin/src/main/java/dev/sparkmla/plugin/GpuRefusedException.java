package dev.sparkmla.plugin;

import dev.sparkmla.cuda.ComputeCapability;
import dev.sparkmla.cuda.GpuDevice;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;

/** An executor does not start on a GPU: the message names it, says why, and what to do. */
public final class GpuRefusedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final boolean mayEnd;

  /** Names the GPU, says why it cannot be used, and what to do. */
  GpuRefusedException(String message) {
    this(message, false);
  }

  /**
   * The same.
   *
   * @param mayEnd whether another process is the reason, so that waiting may help
   */
  GpuRefusedException(String message, boolean mayEnd) {
    super(message);
    this.mayEnd = mayEnd;
  }

  /** The same, with what caused it. */
  GpuRefusedException(String message, Throwable cause) {
    super(message, cause);
    this.mayEnd = false;
  }

  /** Several refusals as one. */
  static GpuRefusedException all(List<GpuRefusedException> refusals) {
    return new GpuRefusedException(
        refusals.stream().map(GpuRefusedException::getMessage).collect(Collectors.joining("; ")),
        refusals.stream().anyMatch(GpuRefusedException::mayEnd));
  }

  /** Whether another process is the reason, so that waiting may help. */
  boolean mayEnd() {
    return mayEnd;
  }

  /** How messages name a GPU: its UUID, its number and what it is. */
  static String name(GpuDevice device) {
    return "%s (device %d, %s)".formatted(device.uuidText(), device.ordinal(), device.name());
  }

  /** Why the kernels do not run on a GPU, and what to do, as the end of a sentence about it. */
  static Optional<String> unfitness(GpuDevice device) {
    if (device.isMigSlice()) {
      return Optional.of(
          "is a MIG slice, and the kernels need a whole GPU: end MIG mode with nvidia-smi -i %s -mig 0"
              .formatted(device.uuidText()));
    }
    if (!device.computeCapability().equals(ComputeCapability.HOPPER)) {
      return Optional.of(
          "has compute capability %s, and the kernels need a Hopper GPU (%s), such as H100 or H200"
              .formatted(device.computeCapability(), ComputeCapability.HOPPER));
    }
    return Optional.empty();
  }
}
