package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.kvcache.CacheShape;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What rotary embedding and the writing of the cache refuse before anything reaches a device. */
class RotaryEmbeddingTest {
  private static final int POSITIONS = 100;

  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);

  private RotaryEmbedding embedding(int size) {
    return new RotaryEmbedding(context, memory, size, true, POSITIONS);
  }

  private DeviceTensor tensor(ElementType type, long... shape) {
    return memory.tensor(type, shape);
  }

  private static void assertRefused(Runnable call, String message) {
    assertThatThrownBy(call::run)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(message);
  }

  @ParameterizedTest(name = "{0} + {1}")
  @CsvSource({"512, 64", "256, 64", "256, 32"})
  void aWriteTakesItsSizesFromTheShape(int latent, int rope) {
    CacheShape shape = CacheShape.of(latent, rope);
    DeviceTensor rows = tensor(ElementType.INT32, 7);

    long[] fields =
        embedding(rope)
            .checkWrite(
                tensor(ElementType.FLOAT32, 7, latent + rope),
                tensor(ElementType.FLOAT32, latent),
                1e-5f,
                rows,
                rows,
                PagedCache.of(memory, 0, shape, 20));

    assertThat(fields[NativeOperations.ROWS]).isEqualTo(7);
    assertThat(fields[NativeOperations.LATENT_DIM]).isEqualTo(latent);
    assertThat(fields[NativeOperations.ROPE_DIM]).isEqualTo(rope);
    assertThat(fields[NativeOperations.BLOCKS]).isEqualTo(20);
    assertThat(fields[NativeOperations.IN_TYPE]).isEqualTo(NativeOperations.FLOAT32);
    assertThat(fields[NativeOperations.IN_STRIDE]).isEqualTo(latent + rope);
    assertThat(fields[NativeOperations.POSITIONS]).isEqualTo(POSITIONS);
    assertThat(fields[NativeOperations.INTERLEAVED]).isEqualTo(1);
    assertThat(Float.intBitsToFloat((int) fields[NativeOperations.EPSILON])).isEqualTo(1e-5f);
  }

  @Test
  void aWriteRefusesTensorsOfAnotherShape() {
    CacheShape shape = CacheShape.of(256, 32);
    DeviceTensor in = tensor(ElementType.BFLOAT16, 3, 288);
    DeviceTensor gain = tensor(ElementType.FLOAT32, 256);
    DeviceTensor rows = tensor(ElementType.INT32, 3);
    PagedCache cache = PagedCache.of(memory, 0, shape, 9);
    RotaryEmbedding embedding = embedding(32);
    assertRefused(
        () -> embedding(64).checkWrite(in, gain, 0, rows, rows, cache),
        "the cache's rope keys have 32 elements, this embedding rotates 64");
    assertRefused(
        () ->
            embedding.checkWrite(tensor(ElementType.BFLOAT16, 3, 576), gain, 0, rows, rows, cache),
        "in must have the shape [3, 288]");
    assertRefused(
        () -> embedding.checkWrite(in, tensor(ElementType.FLOAT32, 512), 0, rows, rows, cache),
        "gain must have the shape [256]");
    assertRefused(
        () -> embedding.checkWrite(in, gain, 0, rows, tensor(ElementType.INT32, 4), cache),
        "slot must have the shape [3]");
    assertRefused(
        () ->
            embedding.checkWrite(
                in,
                gain,
                0,
                rows,
                rows,
                new PagedCache(tensor(ElementType.BFLOAT16, 9, 64, 2, 288), shape)),
        "cache must have the shape [9, 64, 1, 288]");
    assertRefused(
        () ->
            embedding.checkWrite(
                in,
                gain,
                0,
                rows,
                rows,
                new PagedCache(
                    DeviceTensor.strided(
                        memory,
                        0,
                        ElementType.BFLOAT16,
                        new long[] {9, 64, 1, 288},
                        new long[] {64 * 288, 296, 288, 1}),
                    shape)),
        "cache must be contiguous");
  }

  @Test
  void aRotationRefusesHeadsOfAnotherSize() {
    DeviceTensor position = tensor(ElementType.INT32, 5);
    assertRefused(
        () ->
            embedding(32)
                .rotate(
                    tensor(ElementType.BFLOAT16, 5, 2, 64),
                    position,
                    tensor(ElementType.BFLOAT16, 5, 2, 64),
                    null),
        "in must have the shape [5, 2, 32]");
    assertRefused(
        () ->
            embedding(64)
                .rotate(
                    tensor(ElementType.BFLOAT16, 4, 2, 64),
                    position,
                    tensor(ElementType.BFLOAT16, 4, 2, 64),
                    null),
        "position must have the shape [4]");
  }

  @Test
  void refusesFrequenciesAndPositionsThatCannotBe() {
    assertRefused(
        () -> RotaryEmbedding.of(context, new double[0], 1, true, 10, null),
        "a rotary embedding of 0 pairs and 10 positions");
    assertRefused(
        () -> RotaryEmbedding.of(context, new double[257], 1, true, 10, null), "1 to 256 pairs");
    assertRefused(
        () -> RotaryEmbedding.of(context, new double[32], 1, true, 0, null), "at least 1 position");
  }
}
