package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What the operations refuse before anything reaches a device. */
class RowOperationsTest {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final RowOperations operations = new RowOperations(context);

  private static void assertRefused(Runnable call, String message) {
    assertThatThrownBy(call::run)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(message);
  }

  private DeviceTensor tensor(ElementType type, long... shape) {
    return memory.tensor(type, shape);
  }

  @Test
  void embedRefusesOddRowsAndOtherTypes() {
    DeviceTensor ids = tensor(ElementType.INT32, 4);
    DeviceTensor out = tensor(ElementType.FLOAT32, 4, 48);
    assertRefused(
        () -> operations.embed(tensor(ElementType.BFLOAT16, 9, 44), 1, ids, ids, out, null),
        "columns must be a multiple of 8, are 44");
    assertRefused(
        () -> operations.embed(tensor(ElementType.FLOAT32, 9, 48), 1, ids, ids, out, null),
        "table must be bfloat16");
    assertRefused(
        () ->
            operations.embed(
                tensor(ElementType.BFLOAT16, 9, 48),
                1,
                ids,
                ids,
                tensor(ElementType.FLOAT32, 5, 48),
                null),
        "out must have the shape [4, 48]");
  }

  @Test
  void normalizeRefusesRowsThatNoKernelIsBuiltFor() {
    DeviceTensor wide = tensor(ElementType.FLOAT32, 2, 8200);
    assertRefused(
        () -> operations.normalize(wide, wide, 0, GemmRows.of(wide), null), "at most 8192");
    DeviceTensor in = tensor(ElementType.FLOAT32, 2, 64);
    assertRefused(
        () ->
            operations.normalize(
                in,
                tensor(ElementType.BFLOAT16, 64),
                0,
                GemmRows.of(tensor(ElementType.BFLOAT16, 2, 64)),
                null),
        "gain must be float32");
    assertRefused(
        () -> operations.normalize(in, tensor(ElementType.FLOAT32, 64), 0, GemmRows.of(in), null),
        "out must be bfloat16");
  }

  @Test
  void gateRefusesHalvesThatAreNotTwice() {
    assertRefused(
        () ->
            operations.gate(
                tensor(ElementType.BFLOAT16, 2, 96),
                GemmRows.of(tensor(ElementType.BFLOAT16, 2, 40)),
                null),
        "out must have the shape [2, 48]");
  }

  @Test
  void sampleRefusesParametersOfAnotherNumberOfRows() {
    assertRefused(
        () ->
            operations.sample(
                tensor(ElementType.FLOAT32, 3, 320),
                tensor(ElementType.INT32, 16),
                tensor(ElementType.INT32, 3),
                null),
        "sampling must have the shape [24]");
    assertRefused(
        () ->
            operations.sample(
                tensor(ElementType.BFLOAT16, 3, 320),
                tensor(ElementType.INT32, 24),
                tensor(ElementType.INT32, 3),
                null),
        "logits must be float32");
  }

  @Test
  void processingRefusesAWorkspaceOrACacheOfAnotherShape() {
    DeviceTensor logits = tensor(ElementType.FLOAT32, 3, 320);
    DeviceTensor processing = tensor(ElementType.INT32, 3 * ProcessingLayout.WORDS);
    DeviceTensor words = tensor(ElementType.INT32, 50);
    ConstraintMemory constraints =
        new ConstraintMemory(
            words,
            tensor(ElementType.INT32, 4),
            tensor(ElementType.INT32, 4, 2),
            tensor(ElementType.INT32, 2, 2));
    assertRefused(
        () ->
            operations.processLogits(
                logits,
                processing,
                words,
                tensor(ElementType.INT32, 5, 64),
                tensor(ElementType.INT32, 3, 320),
                constraints,
                null),
        "newPositions must have the shape [3, 2]");
    assertRefused(
        () ->
            operations.processLogits(
                logits,
                processing,
                words,
                tensor(ElementType.INT32, 5, 64),
                tensor(ElementType.INT32, 3, 319),
                constraints,
                null),
        "counts must have the shape [3, 320]");
    assertRefused(
        () ->
            operations.processLogits(
                logits,
                processing,
                words,
                tensor(ElementType.INT32, 5, 32),
                tensor(ElementType.INT32, 3, 320),
                constraints,
                null),
        "the cache's tokens must have the shape [5, 64]");
    assertRefused(
        () -> operations.writeTokens(words, words, words, tensor(ElementType.INT32, 64, 5), null),
        "the cache's tokens must have the shape [64, 64]");
  }

  @Test
  void refusesMoreRowsThanKernelsCount() {
    long rows = 1L << 31;
    DeviceTensor many = tensor(ElementType.INT32, rows);
    assertRefused(
        () ->
            operations.addBias(
                tensor(ElementType.FLOAT32, 8), tensor(ElementType.FLOAT32, rows, 8), null),
        "rows must be at most 2147483647, are 2147483648");
    assertRefused(
        () ->
            operations.gather(
                tensor(ElementType.FLOAT32, 4, 8),
                many,
                tensor(ElementType.FLOAT32, rows, 8),
                null),
        "rows must be at most 2147483647");
    assertRefused(
        () ->
            operations.embed(
                tensor(ElementType.BFLOAT16, rows, 8),
                1,
                tensor(ElementType.INT32, 3),
                tensor(ElementType.INT32, 3),
                tensor(ElementType.FLOAT32, 3, 8),
                null),
        "rows of the table must be at most 2147483647");
    assertRefused(
        () ->
            operations.sample(
                tensor(ElementType.FLOAT32, 1, 1 << 24),
                tensor(ElementType.INT32, SamplingLayout.WORDS),
                tensor(ElementType.INT32, 1),
                null),
        "logits of a row must be at most 8388608, are 16777216");
  }

  @Test
  void logprobsNeedRoomForEveryRow() {
    assertRefused(
        () ->
            operations.logprobs(
                tensor(ElementType.FLOAT32, 2, 40),
                tensor(ElementType.INT32, 2 * SamplingLayout.WORDS),
                tensor(ElementType.INT32, 2),
                tensor(ElementType.INT32, LogprobsLayout.WORDS),
                null),
        "out must have the shape [82]");
  }

  @Test
  void refusesMemoryOfAnotherContext() {
    DeviceTensor foreign =
        FakeDevice.buffer(FakeDevice.context()).tensor(ElementType.BFLOAT16, 2, 40);
    assertRefused(
        () -> operations.gate(tensor(ElementType.BFLOAT16, 2, 80), GemmRows.of(foreign), null),
        "another context");
  }
}
