package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.LogitsProcessing;
import dev.sparkmla.policy.Sampling;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Operations on numbers that are out of range, and sampling from parameters that Java wrote. */
class RowOperationsGpuTest extends GpuFixture {
  private static final int COLUMNS = 16;

  private RowOperations operations;

  @BeforeAll
  void open() {
    operations = RowOperations.on(context);
  }

  private DeviceBuffer floats(float... values) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Float.BYTES * values.length).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(values);
    DeviceBuffer buffer = context.allocate(bytes.capacity());
    buffer.copyFromHost(0, bytes, stream);
    return buffer;
  }

  private DeviceBuffer ints(int... values) {
    DeviceBuffer buffer = context.allocate((long) Integer.BYTES * values.length);
    DecodeProblem.write(buffer, values, stream);
    return buffer;
  }

  /** Row r of the result holds r in every column. */
  private static float[] rowNumbers(int rows) {
    float[] values = new float[rows * COLUMNS];
    for (int i = 0; i < values.length; i++) {
      values[i] = i / COLUMNS;
    }
    return values;
  }

  private int[] firstColumn(DeviceBuffer rows) {
    FloatBuffer values = DecodeProblem.read(rows, stream).asFloatBuffer();
    int[] first = new int[values.capacity() / COLUMNS];
    for (int row = 0; row < first.length; row++) {
      first[row] = (int) values.get(row * COLUMNS);
      for (int i = 1; i < COLUMNS; i++) {
        assertThat(values.get(row * COLUMNS + i)).isEqualTo(values.get(row * COLUMNS));
      }
    }
    return first;
  }

  @Test
  void embedScalesRowsAndReadsTheFirstForTokensThatNeitherTableNorPreviousHas() {
    int vocabulary = 9;
    int[] tokens = {8, 3, ~0, ~1, ~2, ~3, ~5, Integer.MIN_VALUE, 9, Integer.MAX_VALUE};
    ElementOperations elements = ElementOperations.on(context);
    // Beyond the three rows of the step before lie others, which must not be read.
    try (DeviceBuffer numbers = floats(rowNumbers(vocabulary));
        DeviceBuffer table = context.allocate(2L * vocabulary * COLUMNS);
        DeviceBuffer ids = ints(tokens);
        DeviceBuffer previous = ints(7, RowOperations.NOT_A_NUMBER, 100, 5, 5, 5);
        DeviceBuffer out = context.allocate(4L * tokens.length * COLUMNS)) {
      elements.convert(
          numbers.tensor(ElementType.FLOAT32, vocabulary * COLUMNS),
          table.tensor(ElementType.BFLOAT16, vocabulary * COLUMNS),
          stream);
      operations.embed(
          table.tensor(ElementType.BFLOAT16, vocabulary, COLUMNS),
          2.5f,
          ids.tensor(ElementType.INT32, tokens.length),
          previous.tensor(ElementType.INT32, 3),
          out.tensor(ElementType.FLOAT32, tokens.length, COLUMNS),
          stream);
      assertThat(firstColumn(out)).containsExactly(20, 7, 17, 0, 0, 0, 0, 0, 0, 0);
    }
  }

  @Test
  void gatherReadsTheFirstRowForRowsThatAreNotThere() {
    int[] rows = {4, 0, -1, 5, Integer.MIN_VALUE, Integer.MAX_VALUE, 2};
    try (DeviceBuffer in = floats(rowNumbers(5));
        DeviceBuffer row = ints(rows);
        DeviceBuffer out = context.allocate(4L * rows.length * COLUMNS)) {
      operations.gather(
          in.tensor(ElementType.FLOAT32, 5, COLUMNS),
          row.tensor(ElementType.INT32, rows.length),
          out.tensor(ElementType.FLOAT32, rows.length, COLUMNS),
          stream);
      assertThat(firstColumn(out)).containsExactly(4, 0, 0, 0, 0, 0, 2);
    }
  }

  private int[] sample(float[] logits, Sampling... sampling) {
    int columns = logits.length / sampling.length;
    int[] words = new int[SamplingLayout.WORDS * sampling.length];
    for (int row = 0; row < sampling.length; row++) {
      SamplingLayout.write(IntBuffer.wrap(words), SamplingLayout.WORDS * row, sampling[row]);
    }
    try (DeviceBuffer values = floats(logits);
        DeviceBuffer parameters = ints(words);
        DeviceBuffer tokens = context.allocate(4L * sampling.length)) {
      operations.sample(
          values.tensor(ElementType.FLOAT32, sampling.length, columns),
          parameters.tensor(ElementType.INT32, words.length),
          tokens.tensor(ElementType.INT32, sampling.length),
          stream);
      int[] chosen = new int[sampling.length];
      DecodeProblem.read(tokens, stream).asIntBuffer().get(chosen);
      return chosen;
    }
  }

  @Test
  void aRowThatHoldsNoNumbersGetsNoTokenAndOthersGetTheirs() {
    int columns = 264;
    Sampling drawn = new Sampling(0.8f, 20, 0.9f, 0, 17, 3, LogitsProcessing.NONE);
    float[] logits = new float[6 * columns];
    Random random = new Random(4);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = (float) random.nextGaussian();
    }
    logits[5] = 9;
    logits[columns + 7] = Float.NaN;
    logits[2 * columns + 8] = Float.POSITIVE_INFINITY;
    logits[3 * columns + 9] = Float.NaN;
    logits[4 * columns + 255] = 9;
    System.arraycopy(logits, 4 * columns, logits, 5 * columns, columns);
    int[] chosen =
        sample(logits, Sampling.GREEDY, Sampling.GREEDY, drawn, drawn, Sampling.GREEDY, drawn);
    assertThat(chosen[0]).isEqualTo(5);
    assertThat(new int[] {chosen[1], chosen[2], chosen[3]})
        .containsOnly(RowOperations.NOT_A_NUMBER);
    assertThat(chosen[4]).isEqualTo(255);
    assertThat(chosen[5]).isBetween(0, columns - 1);
  }

  /** Parameters that no caller should give still choose a token that there is. */
  @Test
  void parametersOutOfRangeChooseATokenThatThereIs() {
    int columns = 1000;
    float[] odd = {
      Float.POSITIVE_INFINITY, Float.NaN, -1, Float.MIN_VALUE, Float.MAX_VALUE, 1, 1e-30f
    };
    Sampling[] sampling = new Sampling[odd.length * odd.length];
    for (int i = 0; i < sampling.length; i++) {
      sampling[i] =
          new Sampling(
              odd[i / odd.length],
              i % 3 - 1,
              odd[i % odd.length],
              0,
              -1L - i,
              -i,
              LogitsProcessing.NONE);
    }
    float[] logits = new float[sampling.length * columns];
    Random random = new Random(6);
    for (int i = 0; i < logits.length; i++) {
      logits[i] = i % 5 == 0 ? Float.NEGATIVE_INFINITY : (float) (100 * random.nextGaussian());
    }
    for (int token : sample(logits, sampling)) {
      assertThat(token).isBetween(0, columns - 1);
      assertThat(token % 5).as("token %d has probability 0", token).isNotZero();
    }
  }

  @Test
  void aSeedsHighWordAndTheIndexReachTheDevice() {
    int columns = 4096;
    float[] logits = new float[4 * columns];
    Sampling base = new Sampling(1, 0, 1, 0, 5, 0, LogitsProcessing.NONE);
    int[] chosen =
        sample(
            logits,
            base,
            new Sampling(1, 0, 1, 0, 5 + (1L << 40), 0, LogitsProcessing.NONE),
            new Sampling(1, 0, 1, 0, 5, 1, LogitsProcessing.NONE),
            base);
    assertThat(chosen[3]).isEqualTo(chosen[0]);
    assertThat(chosen[1]).isNotEqualTo(chosen[0]);
    assertThat(chosen[2]).isNotEqualTo(chosen[0]);
  }
}
