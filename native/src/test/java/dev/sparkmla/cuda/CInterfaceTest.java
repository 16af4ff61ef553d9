package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.function.Consumer;
import java.util.function.ToIntFunction;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What the C interface refuses by itself, whatever its caller has checked. Every call here is
 * refused before it reaches the driver, so the addresses are never read.
 */
class CInterfaceTest {
  private static final int INVALID_STRUCT = 1;
  private static final int INVALID_SHAPE = 2;
  private static final int INVALID_POINTER = 3;
  private static final int INVALID_STRIDE = 4;
  private static final int UNSUPPORTED_DIMENSIONS = 5;
  private static final long ADDRESS = 1 << 20;

  @BeforeAll
  static void loadLibrary() {
    assumeTrue(
        System.getProperty("os.name").equals("Linux")
            && System.getProperty("os.arch").equals("amd64")
            && NativeLibrary.class.getResource(NativeLibrary.RESOURCE) != null);
    NativeLibrary.load();
  }

  private static int route(Consumer<long[]> change) {
    long[] fields = new long[NativeExperts.FIELD_COUNT];
    fields[NativeExperts.METHOD] = NativeExperts.SOFTMAX_GREEDY;
    fields[NativeExperts.ROWS] = 3;
    fields[NativeExperts.EXPERTS] = 64;
    fields[NativeExperts.PER_TOKEN] = 6;
    fields[NativeExperts.GROUPS] = 1;
    fields[NativeExperts.GROUPS_PER_TOKEN] = 1;
    fields[NativeExperts.SCALE] = Float.floatToRawIntBits(1);
    fields[NativeExperts.LOGITS] = ADDRESS;
    fields[NativeExperts.LOGITS_STRIDE] = 64;
    fields[NativeExperts.IDS] = ADDRESS;
    fields[NativeExperts.WEIGHTS] = ADDRESS;
    change.accept(fields);
    return NativeExperts.route(fields);
  }

  @ParameterizedTest(name = "method {0}, {1} groups, {2} of them a token")
  @CsvSource({
    "0, 0, 1",
    "0, -1, 1",
    "0, 3, 1",
    "0, 64, 1",
    "0, 1, 0",
    "0, 2, 3",
    "1, 0, 1",
    "2, 0, 1",
    "1, 32, 2",
    "3, 1, 1"
  })
  void routerRefusesGroupsThatCannotBe(int method, int groups, int groupsPerToken) {
    int status =
        route(
            fields -> {
              fields[NativeExperts.METHOD] = method;
              fields[NativeExperts.GROUPS] = groups;
              fields[NativeExperts.GROUPS_PER_TOKEN] = groupsPerToken;
              fields[NativeExperts.BIAS] = method == 2 ? ADDRESS : 0;
            });
    assertThat(status).isEqualTo(method == 3 ? 6 : INVALID_SHAPE);
  }

  @Test
  void routerRefusesPointersAndStrides() {
    assertThat(route(fields -> fields[NativeExperts.IDS] = 0)).isEqualTo(INVALID_POINTER);
    assertThat(route(fields -> fields[NativeExperts.IDS] = ADDRESS + 1)).isEqualTo(INVALID_POINTER);
    assertThat(route(fields -> fields[NativeExperts.BIAS] = ADDRESS)).isEqualTo(INVALID_POINTER);
    assertThat(route(fields -> fields[NativeExperts.LOGITS_STRIDE] = 63)).isEqualTo(INVALID_STRIDE);
  }

  @Test
  void anArrayOfAnotherLengthIsNoStruct() {
    assertThat(NativeExperts.route(new long[NativeExperts.FIELD_COUNT + 1]))
        .isEqualTo(INVALID_STRUCT);
    assertThat(NativeOperations.embed(new long[0])).isEqualTo(INVALID_STRUCT);
    assertThat(NativeDecode.decode(null)).isEqualTo(INVALID_STRUCT);
  }

  @ParameterizedTest(name = "{0} + {1}: {2}")
  @CsvSource({
    "512, 64, true",
    "256, 64, true",
    "256, 32, true",
    "512, 32, false",
    "128, 64, false",
    "64, 512, false",
    "0, 0, false",
    "-256, 64, false"
  })
  void saysWhichCacheSizesAreBuilt(int latent, int rope, boolean supported) {
    assertThat(NativeOperations.cacheSupports(latent, rope)).isEqualTo(supported);
    if (!supported) {
      assertThat(
              operation(
                  NativeOperations::writeCache,
                  fields -> {
                    fields[NativeOperations.LATENT_DIM] = latent;
                    fields[NativeOperations.ROPE_DIM] = rope;
                  }))
          .isEqualTo(UNSUPPORTED_DIMENSIONS);
    }
  }

  @Test
  void rotationRefusesSizesAndCountsThatNoKernelTakes() {
    assertThat(operation(NativeOperations::rotate, f -> f[NativeOperations.ROPE_DIM] = 48))
        .isEqualTo(UNSUPPORTED_DIMENSIONS);
    assertThat(
            operation(
                NativeOperations::rotate,
                f -> {
                  f[NativeOperations.ROWS] = 1 << 20;
                  f[NativeOperations.HEADS] = 1 << 12;
                }))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::ropeTable, f -> f[NativeOperations.PAIRS] = 0))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::ropeTable, f -> f[NativeOperations.PAIRS] = 257))
        .isEqualTo(INVALID_SHAPE);
  }

  @Test
  void operationsRefuseCountsThatTheirKernelsCannotIndex() {
    assertThat(operation(NativeOperations::sample, f -> f[NativeOperations.COLUMNS] = 1 << 24))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::gatherRows, f -> f[NativeOperations.IN_ROWS] = 0))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::embed, f -> f[NativeOperations.PREVIOUS_ROWS] = -1))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::embed, f -> f[NativeOperations.PREVIOUS] = 0))
        .isEqualTo(INVALID_POINTER);
    assertThat(operation(NativeOperations::writeCache, f -> f[NativeOperations.BLOCKS] = 0))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::writeTokens, f -> f[NativeOperations.BLOCKS] = 0))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::processLogits, f -> f[NativeOperations.BLOCKS] = 0))
        .isEqualTo(INVALID_SHAPE);
    assertThat(operation(NativeOperations::processLogits, f -> f[NativeOperations.COUNTS] = 0))
        .isEqualTo(INVALID_POINTER);
  }

  @Test
  void plainExpertsRefuseRowsThatDoNotFitSharedMemory() {
    long[] fields = new long[NativeExperts.FIELD_COUNT];
    fields[NativeExperts.ROWS] = 1;
    fields[NativeExperts.EXPERTS] = 2;
    fields[NativeExperts.PER_TOKEN] = 1;
    fields[NativeExperts.HIDDEN] = 1 << 15;
    fields[NativeExperts.WIDTH] = 8;
    for (int place :
        new int[] {
          NativeExperts.X,
          NativeExperts.IDS,
          NativeExperts.WEIGHTS,
          NativeExperts.GATE_UP,
          NativeExperts.DOWN,
          NativeExperts.OUT
        }) {
      fields[place] = ADDRESS;
    }
    assertThat(NativeExperts.reference(fields)).isEqualTo(UNSUPPORTED_DIMENSIONS);
  }

  @ParameterizedTest(name = "field {0} is {1}: status {2}")
  @CsvSource({
    "M, -1, 2",
    "N, 12, 2",
    "K, 24, 2",
    "SCALING, 0, 6",
    "SCALING, 3, 6",
    "OUT_TYPE, 0, 6",
    "ADD, 2, 6",
    "IN, 8, 3",
    "WEIGHT_SCALES, 0, 3",
    "IN_SCALES_STRIDE, 6, 4",
    "IN_SCALES_STRIDE, 0, 4",
    "WEIGHTS_STRIDE, 40, 4",
    "OUT_STRIDE, 12, 4",
    "M, 0, 0"
  })
  void float8GemmRefusesWhatItsKernelsCannotTake(String field, long value, int status) {
    long[] fields = new long[NativeFloat8.FIELD_COUNT];
    fields[NativeFloat8.M] = 3;
    fields[NativeFloat8.N] = 16;
    fields[NativeFloat8.K] = 160;
    fields[NativeFloat8.ADD] = 1;
    fields[NativeFloat8.SCALING] = NativeFloat8.BLOCK;
    fields[NativeFloat8.IN] = ADDRESS;
    fields[NativeFloat8.IN_STRIDE] = 160;
    fields[NativeFloat8.IN_SCALES] = ADDRESS;
    fields[NativeFloat8.IN_SCALES_STRIDE] = 4;
    fields[NativeFloat8.WEIGHTS] = ADDRESS;
    fields[NativeFloat8.WEIGHTS_STRIDE] = 160;
    fields[NativeFloat8.WEIGHT_SCALES] = ADDRESS;
    fields[NativeFloat8.OUT] = ADDRESS;
    fields[NativeFloat8.OUT_TYPE] = NativeOperations.FLOAT32;
    fields[NativeFloat8.OUT_STRIDE] = 16;
    int place =
        switch (field) {
          case "M" -> NativeFloat8.M;
          case "N" -> NativeFloat8.N;
          case "K" -> NativeFloat8.K;
          case "SCALING" -> NativeFloat8.SCALING;
          case "OUT_TYPE" -> NativeFloat8.OUT_TYPE;
          case "ADD" -> NativeFloat8.ADD;
          case "IN" -> NativeFloat8.IN;
          case "WEIGHT_SCALES" -> NativeFloat8.WEIGHT_SCALES;
          case "IN_SCALES_STRIDE" -> NativeFloat8.IN_SCALES_STRIDE;
          case "WEIGHTS_STRIDE" -> NativeFloat8.WEIGHTS_STRIDE;
          case "OUT_STRIDE" -> NativeFloat8.OUT_STRIDE;
          default -> throw new IllegalArgumentException(field);
        };
    fields[place] = value;
    assertThat(NativeFloat8.gemm(fields)).isEqualTo(status);
  }

  /** A call that would be right but for the change. */
  private static int operation(ToIntFunction<long[]> function, Consumer<long[]> change) {
    long[] fields = new long[NativeOperations.FIELD_COUNT];
    Arrays.fill(fields, ADDRESS);
    fields[NativeOperations.STREAM] = 0;
    for (int count :
        new int[] {
          NativeOperations.ROWS,
          NativeOperations.IN_ROWS,
          NativeOperations.TABLE_ROWS,
          NativeOperations.PREVIOUS_ROWS,
          NativeOperations.HEADS,
          NativeOperations.POSITIONS,
          NativeOperations.BLOCKS
        }) {
      fields[count] = 2;
    }
    fields[NativeOperations.COLUMNS] = 64;
    fields[NativeOperations.PAIRS] = 32;
    fields[NativeOperations.LATENT_DIM] = 512;
    fields[NativeOperations.ROPE_DIM] = 64;
    fields[NativeOperations.IN_TYPE] = NativeOperations.FLOAT32;
    fields[NativeOperations.INTERLEAVED] = 1;
    fields[NativeOperations.EPSILON] = Float.floatToRawIntBits(1e-6f);
    fields[NativeOperations.FACTOR] = Double.doubleToRawLongBits(1);
    change.accept(fields);
    return function.applyAsInt(fields);
  }
}
