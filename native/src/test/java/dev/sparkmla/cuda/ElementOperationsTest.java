package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** What conversion refuses before anything reaches a device. */
class ElementOperationsTest {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final ElementOperations operations = new ElementOperations(context);

  @Test
  void convertRefusesVectorsOfOtherLengthsAndIntegers() {
    assertThatThrownBy(
            () ->
                operations.convert(
                    memory.tensor(ElementType.FLOAT16, 9),
                    memory.tensor(ElementType.BFLOAT16, 8),
                    null))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("out must have the shape [9]");
    assertThatThrownBy(
            () ->
                operations.convert(
                    memory.tensor(ElementType.INT32, 9),
                    memory.tensor(ElementType.BFLOAT16, 9),
                    null))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("int32");
  }

  @Test
  void refusesAddressesBetweenElements() {
    assertThatThrownBy(
            () ->
                operations.convert(
                    memory.tensor(ElementType.FLOAT16, 9),
                    DeviceTensor.of(memory, 2, ElementType.FLOAT32, 9),
                    null))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("out must start at a multiple of 4 bytes");
  }
}
