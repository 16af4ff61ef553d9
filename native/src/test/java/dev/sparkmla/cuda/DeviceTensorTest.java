package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DeviceTensorTest {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer buffer = DeviceBuffer.borrow(context, 4096, 240);

  @AfterEach
  void nothingStaysOpen() {
    buffer.close();
    assertThat(context.openResources()).isZero();
  }

  @Test
  void laysElementsOutRowByRow() {
    DeviceTensor tensor = DeviceTensor.of(buffer, 8, ElementType.FLOAT32, 2, 3, 4);

    assertThat(new long[] {tensor.stride(0), tensor.stride(1), tensor.stride(2)})
        .containsExactly(12, 4, 1);
    assertThat(tensor.address()).isEqualTo(4104);
    assertThat(tensor).hasToString("float32 [2, 3, 4]");
  }

  @Test
  void mayFillItsBufferToTheLastByteAndNoFurther() {
    assertThat(buffer.tensor(ElementType.BFLOAT16, 2, 60).dimension(1)).isEqualTo(60);
    assertThatThrownBy(() -> buffer.tensor(ElementType.BFLOAT16, 11, 11))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("242")
        .hasMessageContaining("240");
    assertThatThrownBy(() -> DeviceTensor.of(buffer, 4, ElementType.BFLOAT16, 2, 60))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("244");
  }

  @Test
  void countsTheLastElementOfAStridedView() {
    // Rows of 4 inside rows of 20: the last ends at (5 * 20 + 4) * 2 bytes.
    DeviceTensor view =
        DeviceTensor.strided(
            buffer, 0, ElementType.BFLOAT16, new long[] {6, 4}, new long[] {20, 1});
    assertThat(view.stride(0)).isEqualTo(20);
    assertThatThrownBy(
            () ->
                DeviceTensor.strided(
                    buffer, 0, ElementType.BFLOAT16, new long[] {7, 4}, new long[] {20, 1}))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("248");
  }

  @Test
  void refusesShapesThatAreNone() {
    assertThatThrownBy(() -> buffer.tensor(ElementType.INT32, 3, 0))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("dimension 1 of int32 [3, 0] is 0");
    assertThatThrownBy(() -> buffer.tensor(ElementType.INT32, -1))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("is -1");
    assertThatThrownBy(() -> buffer.tensor(ElementType.INT32))
        .isInstanceOf(CudaArgumentException.class);
    assertThatThrownBy(
            () ->
                DeviceTensor.strided(
                    buffer, 0, ElementType.INT32, new long[] {2, 2}, new long[] {-1, 1}))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("stride 0 of int32 [2, 2] is -1");
    assertThatThrownBy(
            () -> DeviceTensor.strided(buffer, 0, ElementType.INT32, new long[] {2}, new long[0]))
        .isInstanceOf(CudaArgumentException.class);
    assertThatThrownBy(() -> DeviceTensor.of(buffer, -4, ElementType.INT32, 2))
        .isInstanceOf(CudaArgumentException.class);
  }

  @Test
  void refusesSizesThatOverflow() {
    assertThatThrownBy(() -> buffer.tensor(ElementType.INT32, 1L << 40, 1L << 40))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("larger than any memory");
  }

  @Test
  void hasNoAddressOnceItsBufferIsClosed() {
    DeviceBuffer other = DeviceBuffer.borrow(context, 64, 64);
    DeviceTensor tensor = other.tensor(ElementType.INT32, 4);
    other.close();

    assertThatThrownBy(tensor::address)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
    assertThatThrownBy(other::close).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void aContextRefusesToCloseBeforeWhatWasMadeFromIt() {
    assertThatThrownBy(context::close)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("buffers=1");
    assertThat(context.openResources()).isEqualTo(1);
  }

  @Test
  void refusesBuffersWithoutSizeOrAddress() {
    assertThatThrownBy(() -> DeviceBuffer.borrow(context, 0, 8))
        .isInstanceOf(CudaArgumentException.class);
    assertThatThrownBy(() -> DeviceBuffer.borrow(context, 64, 0))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("not 0");
    assertThatThrownBy(() -> context.allocate(-1))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("-1");
  }
}
