package dev.sparkmla.cuda;

import java.util.Optional;

/**
 * Rows for GEMMs to read, as bf16, in FP8, or both: the same values, of which those in FP8 are the
 * bf16 ones quantized as {@link Float8Operations#quantize} does it. It owns nothing.
 *
 * @param bfloat16 bfloat16 [m, k], rows at multiples of 16 bytes
 * @param float8 m rows of k columns
 */
public record GemmRows(Optional<DeviceTensor> bfloat16, Optional<Float8Rows> float8) {
  /**
   * Checks that there is something.
   *
   * @throws CudaArgumentException where there is neither
   */
  public GemmRows {
    CudaArgumentException.require(
        bfloat16.isPresent() || float8.isPresent(), "rows for GEMMs in no form");
  }

  /** Rows as bf16 alone. */
  public static GemmRows of(DeviceTensor bfloat16) {
    return new GemmRows(Optional.of(bfloat16), Optional.empty());
  }
}
