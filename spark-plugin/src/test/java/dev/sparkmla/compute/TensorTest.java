package dev.sparkmla.compute;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TensorTest {
  /** Slices of a tensor in random windows hold the bytes that they name, element by element. */
  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3, 4, 5})
  void slicesHoldTheBytesAskedForWhateverTheWindows(long seed) {
    Random random = new Random(seed);
    int elements = 50 + random.nextInt(200);
    byte[] bytes = new byte[elements * 4];
    random.nextBytes(bytes);
    List<ByteBuffer> windows = new ArrayList<>();
    for (int at = 0; at < elements; ) {
      int count = Math.min(elements - at, random.nextInt(40));
      windows.add(ByteBuffer.wrap(bytes, 4 * at, 4 * count));
      at += count;
    }
    Tensor tensor = new Tensor("a", DataType.F32, List.of(elements), windows);

    for (int i = 0; i < 100; i++) {
      int begin = 4 * random.nextInt(elements + 1);
      int size = 4 * random.nextInt(elements + 1 - begin / 4);
      ByteBuffer joined = ByteBuffer.allocate(size);
      for (ByteBuffer slice : tensor.slices(begin, size)) {
        assertThat(slice.remaining() % 4).as("seed %d", seed).isZero();
        assertThat(slice.order()).isEqualTo(ByteOrder.LITTLE_ENDIAN);
        joined.put(slice);
      }
      assertThat(joined.flip())
          .as("seed %d: %d bytes from %d on", seed, size, begin)
          .isEqualTo(ByteBuffer.wrap(bytes, begin, size));
    }
  }

  @Test
  void scalesElementsOfEveryTypeAsFloat32() {
    ByteBuffer wide = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
    wide.putFloat(0, 1.5f).putFloat(4, -3f);
    ByteBuffer half = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    half.putShort(0, (short) 0x3e00).putShort(2, (short) 0xc200);
    ByteBuffer brain = ByteBuffer.allocate(4).order(ByteOrder.LITTLE_ENDIAN);
    brain.putShort(0, (short) 0x3fc0).putShort(2, (short) 0xc040);

    for (Tensor tensor :
        List.of(
            new Tensor("a", DataType.F32, List.of(2), List.of(wide.slice(0, 4), wide.slice(4, 4))),
            new Tensor("a", DataType.F16, List.of(2), List.of(half)),
            new Tensor("a", DataType.BF16, List.of(2), List.of(brain)))) {
      Tensor scaled = tensor.scaled(0.25f);

      assertThat(scaled.type()).isEqualTo(DataType.F32);
      assertThat(scaled.shape()).containsExactly(2);
      assertThat(scaled.slices(0, 8).get(0).getFloat(0)).isEqualTo(0.375f);
      assertThat(scaled.slices(0, 8).get(0).getFloat(4)).isEqualTo(-0.75f);
    }
  }

  /** One buffer is every window, so that a tensor of 8 GiB costs no memory. */
  @Test
  void countsInLong() {
    ByteBuffer window = ByteBuffer.allocate(1 << 20).put(5, (byte) 7);
    window.clear();
    Tensor tensor =
        new Tensor(
            "large",
            DataType.BF16,
            List.of(1 << 15, 1 << 17),
            Collections.nCopies(1 << 13, window));

    assertThat(tensor.elements()).isEqualTo(1L << 32);
    assertThat(tensor.bytes()).isEqualTo(1L << 33);
    assertThat(tensor.slices(tensor.bytes() - (1 << 20), 1 << 20))
        .singleElement()
        .satisfies(last -> assertThat(last.get(5)).isEqualTo((byte) 7));
    assertThat(tensor.slices((1L << 32) - 2, 4)).hasSize(2);
    assertThatThrownBy(() -> tensor.slices(tensor.bytes() - 2, 4))
        .isInstanceOf(IndexOutOfBoundsException.class)
        .hasMessageContaining("tensor large BF16[32768, 131072]");
  }

  @Test
  void refusesWindowsThatAreNotItsBytes() {
    assertThatThrownBy(() -> tensor(List.of(2, 3), 4, 4))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("tensor a BF16[2, 3] has windows of 8 bytes; expected 12");
    assertThatThrownBy(() -> tensor(List.of(2, 3), 5, 7))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a window of 5 bytes");
    assertThat(tensor(List.of(0, 9)).slices(0, 0)).isEmpty();
  }

  @Test
  void matricesThatAreStackedHaveAsManyColumns() {
    MatrixSource wide = MatrixSource.of(tensor(List.of(1, 3), 6));
    MatrixSource narrow = MatrixSource.of(tensor(List.of(3, 1), 6));

    assertThat(MatrixSource.stackedRows(List.of(wide, wide))).isEqualTo(2);
    assertThatThrownBy(() -> MatrixSource.stackedRows(List.of(wide, narrow)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("expected as many columns");
    assertThatThrownBy(() -> MatrixSource.of(tensor(List.of(3), 6)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("is no matrix");
    assertThatThrownBy(() -> Tensor.joinedSize(List.of(wide.values())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("is no vector");
    assertThatThrownBy(() -> new GatedSource(wide, wide, wide))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("no gated network");
    assertThat(new GatedSource(wide, wide, narrow).hidden()).isEqualTo(3);
  }

  private static Tensor tensor(List<Integer> shape, int... windows) {
    List<ByteBuffer> buffers = new ArrayList<>();
    for (int size : windows) {
      buffers.add(ByteBuffer.allocate(size));
    }
    return new Tensor("a", DataType.BF16, shape, buffers);
  }
}
