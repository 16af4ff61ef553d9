package dev.sparkmla.compute.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.compute.ComputeException;
import dev.sparkmla.compute.DataType;
import dev.sparkmla.compute.Float32;
import dev.sparkmla.compute.Float8;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.RandomTensors;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight.RowRange;
import dev.sparkmla.compute.WeightFormat;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Weights of matrices in several formats and buffers, element by element. */
class CpuWeightTest {
  private final HostMemory memory = new HostMemory();
  private final Scratch scratch = new Scratch(memory);

  @AfterEach
  void everyBufferIsGivenBack() {
    scratch.close();
    assertThat(memory.live()).isZero();
    memory.close();
  }

  /** A matrix whose element at (row, column) is {@code value(first + row, column)}. */
  private static MatrixSource matrix(DataType type, int first, int rows, int columns) {
    ByteBuffer bytes =
        ByteBuffer.allocate(rows * columns * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (int row = first; row < first + rows; row++) {
      for (int column = 0; column < columns; column++) {
        put(type, value(row, column), bytes);
      }
    }
    // Two windows, of which the second begins inside a row.
    int cut = bytes.capacity() / type.bytes() / 2 * type.bytes();
    return MatrixSource.of(
        new Tensor(
            "w" + first,
            type,
            List.of(rows, columns),
            List.of(bytes.slice(0, cut), bytes.slice(cut, bytes.capacity() - cut))));
  }

  /** A number that every type holds exactly. */
  private static float value(int row, int column) {
    return (row * 31 + column * 7) % 256 / 64f - 2;
  }

  private static void put(DataType type, float value, ByteBuffer bytes) {
    switch (type) {
      case F32 -> bytes.putFloat(value);
      case BF16 -> bytes.putShort((short) (Float.floatToRawIntBits(value) >> 16));
      case F16 -> {
        int bits = Float.floatToRawIntBits(value);
        int half = value == 0 ? 0 : (bits >>> 23 & 0xff) - 112 << 10 | bits >>> 13 & 0x3ff;
        bytes.putShort((short) (bits >>> 16 & 0x8000 | half));
      }
      case F8_E4M3 -> throw new IllegalArgumentException("8 bits do not hold it");
    }
  }

  private void assertHoldsItsValues(CpuWeight weight) {
    float[] row = new float[weight.columns()];
    Random random = new Random(weight.rows());
    for (int i = 0; i < weight.rows(); i++) {
      weight.readRow(i, row);
      assertThat(row).as("row %d", i).isEqualTo(expected(i, 1, weight.columns()));
      int count = 1 + random.nextInt(weight.rows() - i);
      float[] panel = new float[count * weight.columns()];
      weight.panel(i, count, scratch).get(panel);
      assertThat(panel)
          .as("rows %d to %d", i, i + count)
          .isEqualTo(expected(i, count, weight.columns()));
    }
  }

  private static float[] expected(int first, int count, int columns) {
    float[] values = new float[count * columns];
    for (int i = 0; i < values.length; i++) {
      values[i] = value(first + i / columns, i % columns);
    }
    return values;
  }

  @Test
  void fusedMatricesKeepTheirFormats() {
    List<MatrixSource> sources =
        List.of(
            matrix(DataType.BF16, 0, 7, 5),
            matrix(DataType.F32, 7, 4, 5),
            matrix(DataType.F16, 11, 6, 5),
            matrix(DataType.BF16, 17, 3, 5));

    try (CpuWeight weight = new CpuWeight(memory, sources)) {
      assertThat(weight.rows()).isEqualTo(20);
      assertThat(weight.columns()).isEqualTo(5);
      assertThat(weight.ranges())
          .containsExactly(
              new RowRange(0, 7, WeightFormat.BFLOAT16),
              new RowRange(7, 4, WeightFormat.FLOAT32),
              new RowRange(11, 6, WeightFormat.FLOAT32),
              new RowRange(17, 3, WeightFormat.BFLOAT16));
      assertHoldsItsValues(weight);
    }
  }

  /** A matrix past the size of a buffer lies in several: here buffers are small instead. */
  @ParameterizedTest
  @ValueSource(ints = {1, 10, 40, 100, 1 << 20})
  void matricesMayBeLargerThanABuffer(int bufferBytes) {
    List<MatrixSource> sources =
        List.of(matrix(DataType.BF16, 0, 13, 6), matrix(DataType.F32, 13, 9, 6));

    try (CpuWeight weight = new CpuWeight(memory, sources, bufferBytes)) {
      assertHoldsItsValues(weight);
      int parts = Math.max(1, bufferBytes / 12);
      assertThat(weight.ranges())
          .element(0)
          .isEqualTo(new RowRange(0, Math.min(13, parts), WeightFormat.BFLOAT16));
    }
  }

  /** 2^31 elements in a row: a buffer's indices end before. All windows are one buffer. */
  @Test
  void aRowPastABuffersSizeIsRefusedByName() {
    ByteBuffer window = ByteBuffer.allocate(1 << 20);
    MatrixSource source =
        MatrixSource.of(
            new Tensor(
                "model.embed_tokens.weight",
                DataType.BF16,
                List.of(2, 1 << 30),
                Collections.nCopies(1 << 12, window)));

    assertThatThrownBy(() -> new CpuWeight(memory, List.of(source)))
        .isInstanceOf(ComputeException.class)
        .hasMessageContaining("tensor model.embed_tokens.weight BF16[2, 1073741824]")
        .hasMessageContaining("2147483648 bytes");
  }

  /** Every element is its number times its scale, whichever rows are read and however they lie. */
  @ParameterizedTest
  @ValueSource(ints = {1, 3000, 1 << 20})
  void quantizedMatricesAreReadWithTheirScales(int bufferBytes) {
    List<MatrixSource> sources =
        List.of(
            RandomTensors.matrix("a", 300, 200, WeightFormat.FLOAT8_BLOCKS, 0.1f, 1),
            RandomTensors.matrix("b", 5, 200, WeightFormat.BFLOAT16, 0.1f, 2),
            RandomTensors.matrix("c", 131, 200, WeightFormat.FLOAT8_ROWS, 0.1f, 3),
            RandomTensors.matrix("d", 129, 200, WeightFormat.FLOAT8_BLOCKS, 0.1f, 4));
    float[] expected = new float[565 * 200];
    int at = 0;
    for (MatrixSource source : sources) {
      for (int row = 0; row < source.rows(); row++) {
        for (int column = 0; column < 200; column++) {
          expected[at++] = element(source, row, column);
        }
      }
    }

    try (CpuWeight weight = new CpuWeight(memory, sources, bufferBytes)) {
      Random random = new Random(bufferBytes);
      for (int i = 0; i < 50; i++) {
        int first = random.nextInt(weight.rows());
        int count = 1 + random.nextInt(weight.rows() - first);
        float[] panel = new float[count * 200];
        weight.panel(first, count, scratch).get(panel);
        assertThat(panel)
            .as("%d rows from %d", count, first)
            .isEqualTo(Arrays.copyOfRange(expected, first * 200, (first + count) * 200));
        float[] row = new float[200];
        weight.readRow(first, row);
        assertThat(row).isEqualTo(Arrays.copyOfRange(expected, first * 200, (first + 1) * 200));
      }
    }
  }

  private static float element(MatrixSource source, int row, int column) {
    ByteBuffer bytes =
        source
            .values()
            .slices(((long) row * source.columns() + column) * bytes(source), bytes(source))
            .get(0);
    int columns = source.columns();
    return switch (source.format()) {
      case BFLOAT16 -> Float.intBitsToFloat(bytes.getShort(0) << 16);
      case FLOAT32 -> bytes.getFloat(0);
      case FLOAT8_ROWS -> (float) Float8.value(bytes.get(0)) * scale(source, row);
      case FLOAT8_BLOCKS ->
          (float) Float8.value(bytes.get(0))
              * scale(source, row / 128 * ((columns + 127) / 128) + column / 128);
    };
  }

  private static int bytes(MatrixSource source) {
    return source.values().type().bytes();
  }

  private static float scale(MatrixSource source, int index) {
    return source.scales().orElseThrow().slices(4L * index, 4).get(0).getFloat(0);
  }

  @Test
  void whatIsClosedIsNotReadAgain() {
    CpuWeight weight = new CpuWeight(memory, List.of(matrix(DataType.BF16, 0, 2, 2)));
    weight.close();

    assertThatThrownBy(() -> weight.readRow(0, new float[2]))
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(weight::close).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void vectorsAreJoinedAsFloat32() {
    List<Tensor> parts = new ArrayList<>();
    float[] expected = new float[24];
    for (DataType type : List.of(DataType.F32, DataType.F16, DataType.BF16)) {
      Tensor values = matrix(type, parts.size(), 1, 8).values();
      System.arraycopy(expected(parts.size(), 1, 8), 0, expected, 8 * parts.size(), 8);
      parts.add(new Tensor("v", type, List.of(8), values.slices(0, values.bytes())));
    }

    try (CpuVector vector = new CpuVector(parts)) {
      assertThat(vector.size()).isEqualTo(24);
      assertThat(CpuVector.of(vector)).isEqualTo(expected);
    }
  }

  /** Every half, against what its definition says: sign, fraction, exponent. */
  @Test
  void halvesAreWidenedExactly() {
    for (int bits = 0; bits < 1 << 16; bits++) {
      int exponent = bits >> 10 & 0x1f;
      double fraction = (bits & 0x3ff) / 1024.0;
      double magnitude =
          switch (exponent) {
            case 0 -> fraction * Math.pow(2, -14);
            case 31 -> fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
            default -> (1 + fraction) * Math.pow(2, exponent - 15);
          };
      Float expected = (float) (bits >> 15 == 0 ? magnitude : -magnitude);
      assertThat(Float32.ofHalf((short) bits)).as("half %x", bits).isEqualTo(expected);
    }
  }
}
