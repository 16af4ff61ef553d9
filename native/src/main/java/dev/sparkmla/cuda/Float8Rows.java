package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireRows;

/**
 * Activations in FP8 with a scale for each row and 128 columns (DeepSeek-V3, arXiv:2412.19437,
 * section 3.3.2): an element is its value times its scale. It owns nothing.
 *
 * @param values float8_e4m3 [m, k], k a multiple of 16, rows at multiples of 16 bytes
 * @param scales float32 [ceil(k / 128), m], aligned to 16 bytes, the row stride a multiple of 4
 */
public record Float8Rows(DeviceTensor values, DeviceTensor scales) {
  private static final int ALIGNMENT = 16;
  private static final int SCALE_MULTIPLE = 4;

  /** Bytes of the memory that {@link #in} lays rows out in; a multiple of 16, grows with m. */
  public static long bytes(long m, long k) {
    return valueBytes(m, k) + Float.BYTES * Float8Weights.blocks(k) * roundedUp(m, SCALE_MULTIPLE);
  }

  /**
   * Rows in a part of a buffer: values without gaps, then scales.
   *
   * @param byteOffset a multiple of 16; {@link #bytes} from there on are taken
   * @throws CudaArgumentException where they do not lie inside the buffer
   */
  public static Float8Rows in(DeviceBuffer buffer, long byteOffset, long m, long k) {
    return new Float8Rows(
        DeviceTensor.of(buffer, byteOffset, ElementType.FLOAT8_E4M3, m, k),
        DeviceTensor.strided(
            buffer,
            byteOffset + valueBytes(m, k),
            ElementType.FLOAT32,
            new long[] {Float8Weights.blocks(k), m},
            new long[] {roundedUp(m, SCALE_MULTIPLE), 1}));
  }

  /** The first {@code count} of them. */
  public Float8Rows first(long count) {
    return new Float8Rows(
        part(values, count, values.dimension(1)), part(scales, scales.dimension(0), count));
  }

  private static DeviceTensor part(DeviceTensor of, long rows, long columns) {
    return DeviceTensor.strided(
        of.buffer(),
        of.address() - of.buffer().address(),
        of.type(),
        new long[] {rows, columns},
        new long[] {of.stride(0), 1});
  }

  /** Checks them for a kernel. */
  void require(CudaContext context, String name, long m, long k) {
    Float8Weights.requireColumns(name, k);
    requireRows(
        context,
        name,
        values,
        ElementType.FLOAT8_E4M3,
        Float8Weights.COLUMN_MULTIPLE,
        ALIGNMENT,
        new long[] {m, k});
    requireRows(
        context,
        "scales of " + name,
        scales,
        ElementType.FLOAT32,
        SCALE_MULTIPLE,
        ALIGNMENT,
        new long[] {Float8Weights.blocks(k), m});
  }

  private static long valueBytes(long m, long k) {
    return roundedUp(m * k, ALIGNMENT);
  }

  private static long roundedUp(long count, int multiple) {
    return (count + multiple - 1) / multiple * multiple;
  }
}
