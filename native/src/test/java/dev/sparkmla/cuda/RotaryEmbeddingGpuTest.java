package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.kvcache.CacheShape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ShortBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Rotation and writing of the cache, for every size that is built, against the host. */
class RotaryEmbeddingGpuTest extends GpuFixture {
  private static final int POSITIONS = 200;
  private static final double FACTOR = 1.25;
  private static final float EPSILON = 1e-6f;
  private static final byte UNTOUCHED = 0x5A;

  private static double[] frequencies(int size) {
    return IntStream.range(0, size / 2)
        .mapToDouble(i -> Math.pow(10000, -2.0 * i / size))
        .toArray();
  }

  private RotaryEmbedding embedding(int size, boolean interleaved) {
    return RotaryEmbedding.of(context, frequencies(size), FACTOR, interleaved, POSITIONS, stream);
  }

  private DeviceBuffer ints(int... values) {
    DeviceBuffer buffer = context.allocate((long) Integer.BYTES * values.length);
    DecodeProblem.write(buffer, values, stream);
    return buffer;
  }

  /** bfloat16 values, N(0, 1), as floats. */
  private static float[] values(Random random, int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = RandomPool.fromBfloat16(RandomPool.toBfloat16((float) random.nextGaussian()));
    }
    return values;
  }

  private DeviceBuffer upload(float[] values, ElementType type) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(type.bytes() * values.length).order(ByteOrder.nativeOrder());
    for (int i = 0; i < values.length; i++) {
      if (type == ElementType.FLOAT32) {
        bytes.putFloat(Float.BYTES * i, values[i]);
      } else {
        bytes.putShort(Short.BYTES * i, RandomPool.toBfloat16(values[i]));
      }
    }
    DeviceBuffer buffer = context.allocate(bytes.capacity());
    buffer.copyFromHost(0, bytes, stream);
    return buffer;
  }

  /** Rotates {@code size} elements from {@code at} on by the angles of a position. */
  private static double[] rotated(
      float[] values, int at, int size, boolean interleaved, int position) {
    double[] result = new double[size];
    double[] frequencies = frequencies(size);
    int inside = Math.max(0, Math.min(position, POSITIONS - 1));
    for (int i = 0; i < size / 2; i++) {
      int first = interleaved ? 2 * i : i;
      int second = interleaved ? 2 * i + 1 : i + size / 2;
      double cosine = FACTOR * Math.cos(inside * frequencies[i]);
      double sine = FACTOR * Math.sin(inside * frequencies[i]);
      result[first] = values[at + first] * cosine - values[at + second] * sine;
      result[second] = values[at + second] * cosine + values[at + first] * sine;
    }
    return result;
  }

  private static void assertClose(ShortBuffer actual, int at, double[] expected, String what) {
    for (int i = 0; i < expected.length; i++) {
      double value = RandomPool.fromBfloat16(actual.get(at + i));
      assertThat(Math.abs(value - expected[i]))
          .as("%s, element %d: %s for %s", what, i, value, expected[i])
          .isLessThanOrEqualTo(Math.abs(expected[i]) / 200 + 1e-5);
    }
  }

  @ParameterizedTest(name = "{0} elements, interleaved {1}, {2} heads")
  @CsvSource({"64, true, 3", "64, false, 16", "32, true, 5", "32, false, 1", "32, true, 40"})
  void rotatesEveryHeadByItsRowsPosition(int size, boolean interleaved, int heads) {
    // Heads lie among other elements, which stay as they are.
    int width = size + 24;
    int[] positions = {0, 1, 77, POSITIONS - 1, POSITIONS, -4, 5};
    int rows = positions.length;
    float[] values = values(new Random(size), rows * heads * width);
    try (RotaryEmbedding embedding = embedding(size, interleaved);
        DeviceBuffer in = upload(values, ElementType.BFLOAT16);
        DeviceBuffer position = ints(positions)) {
      DeviceTensor tensor =
          DeviceTensor.strided(
              in,
              16,
              ElementType.BFLOAT16,
              new long[] {rows, heads, size},
              new long[] {(long) heads * width, width, 1});
      embedding.rotate(tensor, position.tensor(ElementType.INT32, rows), tensor, stream);
      ShortBuffer actual = DecodeProblem.read(in, stream).asShortBuffer();
      for (int row = 0; row < rows; row++) {
        for (int head = 0; head < heads; head++) {
          int first = (row * heads + head) * width;
          String what = "row %d, head %d".formatted(row, head);
          assertClose(
              actual,
              first + 8,
              rotated(values, first + 8, size, interleaved, positions[row]),
              what);
          for (int i : new int[] {0, 7, 8 + size, width - 1}) {
            assertThat(RandomPool.fromBfloat16(actual.get(first + i)))
                .as(what)
                .isEqualTo(values[first + i]);
          }
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} + {1}, {2}, interleaved {3}")
  @CsvSource({
    "512, 64, BFLOAT16, true",
    "512, 64, FLOAT32, false",
    "256, 64, BFLOAT16, false",
    "256, 64, FLOAT32, true",
    "256, 32, BFLOAT16, true",
    "256, 32, FLOAT32, false"
  })
  void writesTokensToTheirSlotsAndNowhereElse(
      int latent, int rope, ElementType type, boolean interleaved) {
    CacheShape shape = CacheShape.of(latent, rope);
    int width = shape.width();
    int blocks = 3;
    int tokens = blocks * shape.page();
    int[] slots = {5, -1, tokens - 1, 64, tokens, Integer.MAX_VALUE, Integer.MIN_VALUE, 0, 130};
    int[] positions = {0, 3, 199, 7, 8, 9, 10, 50, 500};
    int rows = slots.length;
    Random random = new Random(latent + rope);
    float[] values = values(random, rows * width);
    float[] gain = values(random, latent);
    // A fourth block follows the cache in memory; a row whose slot is out of range must not reach
    // it.
    try (RotaryEmbedding embedding = embedding(rope, interleaved);
        DeviceBuffer in = upload(values, type);
        DeviceBuffer gains = upload(gain, ElementType.FLOAT32);
        DeviceBuffer position = ints(positions);
        DeviceBuffer slot = ints(slots);
        DeviceBuffer memory = context.allocate(4L * shape.bytesPerBlock())) {
      memory.fill(0, memory.bytes(), UNTOUCHED, stream);
      embedding.writeCache(
          in.tensor(type, rows, width),
          gains.tensor(ElementType.FLOAT32, latent),
          EPSILON,
          position.tensor(ElementType.INT32, rows),
          slot.tensor(ElementType.INT32, rows),
          PagedCache.of(memory, 0, shape, blocks),
          stream);
      ShortBuffer actual = DecodeProblem.read(memory, stream).asShortBuffer();
      boolean[] written = new boolean[4 * shape.page()];
      for (int row = 0; row < rows; row++) {
        if (slots[row] < 0 || slots[row] >= tokens) {
          continue;
        }
        written[slots[row]] = true;
        int at = row * width;
        double squares = 0;
        for (int i = 0; i < latent; i++) {
          squares += (double) values[at + i] * values[at + i];
        }
        double[] normed = new double[latent];
        for (int i = 0; i < latent; i++) {
          normed[i] = values[at + i] / Math.sqrt(squares / latent + EPSILON) * gain[i];
        }
        assertClose(actual, slots[row] * width, normed, "latent of row " + row);
        assertClose(
            actual,
            slots[row] * width + latent,
            rotated(values, at + latent, rope, interleaved, positions[row]),
            "rope key of row " + row);
      }
      for (int token = 0; token < written.length; token++) {
        for (int i = 0; i < width && !written[token]; i++) {
          assertThat(actual.get(token * width + i)).as("token %d", token).isEqualTo((short) 0x5A5A);
        }
      }
    }
  }

  @ParameterizedTest(name = "{0} + {1}, {2} rows, {3} of them with queries of {4} heads")
  @CsvSource({"512, 64, 7, 7, 20", "512, 64, 130, 3, 16", "256, 64, 5, 5, 1", "256, 32, 64, 64, 3"})
  void writesAndRotatesAtOnceAsItDoesApart(
      int latent, int rope, int rows, int queryRows, int heads) {
    CacheShape shape = CacheShape.of(latent, rope);
    int width = rope + 24;
    Random random = new Random(rows);
    int[] positions = random.ints(rows, 0, POSITIONS).toArray();
    int[] slots = IntStream.range(0, rows).map(row -> rows - 1 - row).toArray();
    try (RotaryEmbedding embedding = embedding(rope, true);
        DeviceBuffer in = upload(values(random, rows * shape.width()), ElementType.BFLOAT16);
        DeviceBuffer gains = upload(values(random, latent), ElementType.FLOAT32);
        DeviceBuffer position = ints(positions);
        DeviceBuffer slot = ints(slots);
        DeviceBuffer queries =
            upload(values(random, queryRows * heads * width), ElementType.BFLOAT16);
        DeviceBuffer memory = context.allocate(3L * shape.bytesPerBlock());
        DeviceBuffer turned = context.allocate(2L * queryRows * heads * width)) {
      List<ByteBuffer> apart = new ArrayList<>();
      for (boolean atOnce : new boolean[] {false, true}) {
        memory.fill(0, memory.bytes(), UNTOUCHED, stream);
        turned.fill(0, turned.bytes(), UNTOUCHED, stream);
        DeviceTensor latents = in.tensor(ElementType.BFLOAT16, rows, shape.width());
        DeviceTensor gain = gains.tensor(ElementType.FLOAT32, latent);
        DeviceTensor at = position.tensor(ElementType.INT32, rows);
        DeviceTensor to = slot.tensor(ElementType.INT32, rows);
        PagedCache cache = PagedCache.of(memory, 0, shape, 3);
        DeviceTensor from = heads(queries, queryRows, heads, rope, width);
        DeviceTensor out = heads(turned, queryRows, heads, rope, width);
        if (atOnce) {
          embedding.writeCacheAndRotate(latents, gain, EPSILON, at, to, cache, from, out, stream);
        } else {
          embedding.writeCache(latents, gain, EPSILON, at, to, cache, stream);
          embedding.rotate(from, position.tensor(ElementType.INT32, queryRows), out, stream);
        }
        apart.add(DecodeProblem.read(memory, stream));
        apart.add(DecodeProblem.read(turned, stream));
      }
      assertThat(apart.get(2)).isEqualTo(apart.get(0));
      assertThat(apart.get(3)).isEqualTo(apart.get(1));
    }
  }

  private static DeviceTensor heads(DeviceBuffer buffer, int rows, int heads, int size, int width) {
    return DeviceTensor.strided(
        buffer,
        16,
        ElementType.BFLOAT16,
        new long[] {rows, heads, size},
        new long[] {(long) heads * width, width, 1});
  }

  @Test
  void refusesShapesThatNoKernelIsBuiltFor() {
    CacheShape shape = CacheShape.of(128, 64);
    try (RotaryEmbedding embedding = embedding(64, true);
        RotaryEmbedding other = embedding(48, true);
        DeviceBuffer memory = context.allocate(1 << 20)) {
      DeviceTensor rows = memory.tensor(ElementType.INT32, 2);
      assertThatThrownBy(
              () ->
                  embedding.writeCache(
                      memory.tensor(ElementType.BFLOAT16, 2, 192),
                      memory.tensor(ElementType.FLOAT32, 128),
                      EPSILON,
                      rows,
                      rows,
                      PagedCache.of(memory, 0, shape, 2),
                      stream))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessageContaining("no kernel writes the cache of CacheShape[latent=128, rope=64");
      DeviceTensor heads = memory.tensor(ElementType.BFLOAT16, 2, 3, 48);
      assertThatThrownBy(() -> other.rotate(heads, rows, heads, stream))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessageContaining("spark_mla_rotate of 48 elements");
    }
  }
}
