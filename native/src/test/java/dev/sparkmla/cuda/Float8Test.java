package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What FP8 operations refuse before anything reaches a device. */
class Float8Test {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final Float8Operations operations = new Float8Operations(context);
  private final Float8Gemm gemm =
      new Float8Gemm(context, Optional.empty(), Float8Gemm.LIBRARY_ROWS);

  private static void assertRefused(Runnable call, String message) {
    assertThatThrownBy(call::run)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(message);
  }

  private DeviceTensor tensor(ElementType type, long... shape) {
    return memory.tensor(type, shape);
  }

  private Float8Weights byBlock(long n, long k, long... scales) {
    return new Float8Weights(
        tensor(ElementType.FLOAT8_E4M3, n, k),
        tensor(ElementType.FLOAT32, scales),
        Float8Scaling.BLOCK);
  }

  @Test
  void rowsLieOneAfterTheOtherWithScalesBehind() {
    Float8Rows rows = Float8Rows.in(memory, 32, 5, 144);
    assertThat(rows.scales().address() - rows.values().address()).isEqualTo(5 * 144);
    assertThat(rows.scales().dimension(0)).isEqualTo(2);
    assertThat(rows.scales().stride(0)).isEqualTo(8);
    assertThat(Float8Rows.bytes(5, 144)).isEqualTo(5 * 144 + 4 * 2 * 8);
  }

  @Test
  void quantizeRefusesColumnsAndRowsOfOtherShapes() {
    assertRefused(
        () ->
            operations.quantize(
                tensor(ElementType.BFLOAT16, 4, 40), Float8Rows.in(memory, 0, 4, 40), null),
        "out must have a multiple of 16 columns, has 40");
    assertRefused(
        () ->
            operations.quantize(
                tensor(ElementType.BFLOAT16, 4, 64), Float8Rows.in(memory, 0, 5, 64), null),
        "out must have the shape [4, 64]");
    assertRefused(
        () ->
            operations.quantize(
                tensor(ElementType.FLOAT8_E4M3, 4, 64), Float8Rows.in(memory, 0, 4, 64), null),
        "not built for float8_e4m3");
  }

  @Test
  void multiplyRefusesScalesOfOtherShapes() {
    Float8Rows a = Float8Rows.in(memory, 0, 3, 256);
    DeviceTensor c = tensor(ElementType.FLOAT32, 3, 136);
    assertRefused(
        () -> gemm.multiply(a, byBlock(136, 256, 1, 4), c, null),
        "scales of b must have the shape [2, 4]");
    assertRefused(
        () ->
            gemm.multiply(
                a,
                new Float8Weights(
                    tensor(ElementType.FLOAT8_E4M3, 136, 256),
                    tensor(ElementType.FLOAT32, 2, 2),
                    Float8Scaling.CHANNEL),
                c,
                null),
        "scales of b must have the shape [136]");
    assertRefused(
        () -> gemm.multiply(a, byBlock(136, 240, 2, 4), c, null),
        "b must have the shape [136, 256]");
  }

  @Test
  void multiplyRefusesResultsThatItCannotWrite() {
    Float8Rows a = Float8Rows.in(memory, 0, 3, 256);
    assertRefused(
        () -> gemm.multiply(a, byBlock(12, 256, 1, 4), tensor(ElementType.FLOAT32, 3, 12), null),
        "n must be a multiple of 8, is 12");
    assertRefused(
        () -> gemm.multiply(a, byBlock(16, 256, 1, 4), tensor(ElementType.INT32, 3, 16), null),
        "c must be bfloat16 or float32");
    assertRefused(
        () ->
            gemm.multiplyAdd(a, byBlock(16, 256, 1, 4), tensor(ElementType.BFLOAT16, 3, 16), null),
        "c must be float32 to be added to");
  }

  @Test
  void dequantizeRefusesAnotherResult() {
    assertRefused(
        () ->
            operations.dequantize(
                byBlock(16, 256, 1, 4), tensor(ElementType.FLOAT32, 16, 256), null),
        "out must be bfloat16");
  }

  private long[] checkExperts(Float8Weights gateUp, Float8Weights down) {
    return new Experts(context)
        .unsorted(
            new ExpertsShape(8, 2, 64, 32),
            tensor(ElementType.BFLOAT16, 5, 64),
            Optional.empty(),
            tensor(ElementType.INT32, 5, 2),
            Optional.of(gateUp.scaling()))
        .check(tensor(ElementType.FLOAT32, 5, 2), gateUp, down, tensor(ElementType.FLOAT32, 5, 64));
  }

  private Float8Weights experts(long n, long k, Float8Scaling scaling, long... scales) {
    return new Float8Weights(
        tensor(ElementType.FLOAT8_E4M3, 8, n, k), tensor(ElementType.FLOAT32, scales), scaling);
  }

  @ParameterizedTest(name = "{0} columns have a stride of {1} scales")
  @CsvSource({"16, 4", "512, 4", "528, 8", "1408, 12", "10944, 88"})
  void scalesOfBlocksLieAsTheLibraryWantsThem(long columns, long stride) {
    assertThat(Float8Weights.scaleColumns(columns)).isEqualTo(stride);
  }

  @Test
  void expertsHandOverTheirScaling() {
    long[] byBlock =
        checkExperts(
            experts(64, 64, Float8Scaling.BLOCK, 8, 2, 4),
            experts(64, 32, Float8Scaling.BLOCK, 8, 1, 4));
    assertThat(byBlock[NativeExperts.SCALING]).isEqualTo(NativeFloat8.BLOCK);
    long[] byChannel =
        checkExperts(
            experts(64, 64, Float8Scaling.CHANNEL, 8, 64),
            experts(64, 32, Float8Scaling.CHANNEL, 8, 64));
    assertThat(byChannel[NativeExperts.SCALING]).isEqualTo(NativeFloat8.CHANNEL);
    assertThat(byChannel[NativeExperts.DOWN_SCALES]).isEqualTo(memory.address());
  }

  @Test
  void expertsRefuseScalesThatDoNotFit() {
    assertRefused(
        () ->
            checkExperts(
                experts(64, 64, Float8Scaling.BLOCK, 8, 1, 4),
                experts(64, 32, Float8Scaling.BLOCK, 8, 1, 4)),
        "scales of gateUp must have the shape [8, 2, 4]");
    assertRefused(
        () ->
            checkExperts(
                experts(64, 64, Float8Scaling.BLOCK, 8, 2, 4),
                experts(64, 32, Float8Scaling.CHANNEL, 8, 64)),
        "gateUp and down must have the same scaling");
  }

  @ParameterizedTest(name = "0x{0} is {1}")
  @CsvSource({"00, 0", "01, 0.001953125", "38, 1", "7E, 448", "B8, -1", "FF, NaN"})
  void valuesOfTheHostAreE4m3(String bits, float value) {
    Float expected = value;
    assertThat(Float8Values.decode((byte) Integer.parseInt(bits, 16))).isEqualTo(expected);
    assertThat(Float8Values.round(value)).isEqualTo(expected);
  }
}
