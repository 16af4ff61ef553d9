package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.util.Random;

/**
 * Random bfloat16 values on the device, N(0, 1) / 10 clamped to ±1, from which any amount is copied
 * quickly: generating gigabytes on the host would take longer than the tests.
 */
public final class RandomPool implements AutoCloseable {
  private static final int ELEMENTS = 1 << 23;

  private final DeviceBuffer pool;

  /** Fills the pool; the same seed gives the same values. */
  public RandomPool(CudaContext context, long seed, CudaStream stream) {
    Random random = new Random(seed);
    ByteBuffer bytes = ByteBuffer.allocateDirect(2 * ELEMENTS).order(ByteOrder.nativeOrder());
    ShortBuffer values = bytes.asShortBuffer();
    // Gaussians are slow: each drawn number serves in 8 places, with its sign redrawn.
    float[] drawn = new float[ELEMENTS / 8];
    for (int i = 0; i < drawn.length; i++) {
      drawn[i] = (float) Math.max(-1, Math.min(1, random.nextGaussian() / 10));
    }
    for (int i = 0; i < ELEMENTS; i++) {
      int bits = random.nextInt();
      float value = drawn[(bits >>> 1) % drawn.length];
      values.put(i, toBfloat16((bits & 1) == 0 ? value : -value));
    }
    pool = context.allocate(2L * ELEMENTS);
    pool.copyFromHost(0, bytes, stream);
  }

  /** Enqueues filling {@code count} bytes, a multiple of 2, with values from places of the pool. */
  public void fill(DeviceBuffer target, long offset, long count, Random random, CudaStream stream) {
    long done = 0;
    while (done < count) {
      long from = 2L * random.nextInt(ELEMENTS / 2);
      long size = Math.min(count - done, pool.bytes() - from);
      target.copyFromDevice(offset + done, pool, from, size, stream);
      done += size;
    }
  }

  /** The nearest bfloat16, ties to even. */
  public static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    return (short) ((bits + 0x7FFF + ((bits >>> 16) & 1)) >>> 16);
  }

  /** The value of a bfloat16, exactly. */
  public static float fromBfloat16(short value) {
    return Float.intBitsToFloat(value << 16);
  }

  @Override
  public void close() {
    pool.close();
  }
}
