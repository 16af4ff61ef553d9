package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every argument that is refused before anything is launched. */
class ExpertsTest {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final Experts experts = new Experts(context);

  private final ExpertsShape shape = new ExpertsShape(8, 2, 64, 32);
  private DeviceTensor x = memory.tensor(ElementType.BFLOAT16, 5, 64);
  private Optional<DeviceTensor> validRows = Optional.empty();
  private DeviceTensor ids = memory.tensor(ElementType.INT32, 5, 2);
  private DeviceTensor weights = memory.tensor(ElementType.FLOAT32, 5, 2);
  private DeviceTensor gateUp = memory.tensor(ElementType.BFLOAT16, 8, 64, 64);
  private DeviceTensor down = memory.tensor(ElementType.BFLOAT16, 8, 64, 32);
  private DeviceTensor out = memory.tensor(ElementType.FLOAT32, 5, 64);

  private long[] check() {
    return experts
        .unsorted(shape, x, validRows, ids, Optional.empty())
        .check(weights, gateUp, down, out);
  }

  private void refuses(String... said) {
    assertThatThrownBy(this::check)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContainingAll(said);
  }

  @Test
  void handsOverSizesAddressesAndStrides() {
    validRows = Optional.of(DeviceTensor.of(memory, 64, ElementType.INT32, 1));
    x =
        DeviceTensor.strided(
            memory, 32, ElementType.BFLOAT16, new long[] {5, 64}, new long[] {72, 1});

    long[] fields = check();

    assertThat(fields[NativeExperts.ROWS]).isEqualTo(5);
    assertThat(fields[NativeExperts.EXPERTS]).isEqualTo(8);
    assertThat(fields[NativeExperts.PER_TOKEN]).isEqualTo(2);
    assertThat(fields[NativeExperts.HIDDEN]).isEqualTo(64);
    assertThat(fields[NativeExperts.WIDTH]).isEqualTo(32);
    assertThat(fields[NativeExperts.VALID_ROWS]).isEqualTo(memory.address() + 64);
    assertThat(fields[NativeExperts.X]).isEqualTo(memory.address() + 32);
    assertThat(fields[NativeExperts.X_STRIDE]).isEqualTo(72);
    assertThat(fields[NativeExperts.OUT_STRIDE]).isEqualTo(64);
    assertThat(fields[NativeExperts.STREAM]).isZero();
  }

  @Test
  void meansAllRowsWhereNoCountIsGiven() {
    assertThat(check()[NativeExperts.VALID_ROWS]).isZero();
  }

  @Test
  void refusesTensorsOfOtherShapesOrTypes() {
    gateUp = memory.tensor(ElementType.BFLOAT16, 8, 32, 64);
    refuses("gateUp must have the shape [8, 64, 64]", "[8, 32, 64]");
    gateUp = memory.tensor(ElementType.BFLOAT16, 8, 64, 64);
    down = memory.tensor(ElementType.FLOAT32, 8, 64, 32);
    refuses("down must be bfloat16");
    down = memory.tensor(ElementType.BFLOAT16, 8, 64, 32);
    ids = memory.tensor(ElementType.INT32, 5, 3);
    refuses("ids must have the shape [5, 2]");
    ids = memory.tensor(ElementType.INT32, 5, 2);
    out = memory.tensor(ElementType.BFLOAT16, 5, 64);
    refuses("out must be float32");
    out = memory.tensor(ElementType.FLOAT32, 4, 64);
    refuses("out must have the shape [5, 64]");
    out = memory.tensor(ElementType.FLOAT32, 5, 64);
    validRows = Optional.of(memory.tensor(ElementType.INT32, 2));
    refuses("validRows must have the shape [1]");
  }

  @Test
  void refusesRowsThatCannotBeLoaded() {
    x = DeviceTensor.of(memory, 8, ElementType.BFLOAT16, 5, 64);
    refuses("x must start at a multiple of 16 bytes");
    x =
        DeviceTensor.strided(
            memory, 0, ElementType.BFLOAT16, new long[] {5, 64}, new long[] {68, 1});
    refuses("x's stride 0 must be a multiple of 8 and at least 64, is 68");
    x =
        DeviceTensor.strided(
            memory, 0, ElementType.BFLOAT16, new long[] {5, 64}, new long[] {128, 2});
    refuses("x's last dimension must be contiguous");
  }

  @Test
  void refusesMemoryOfAnotherContext() {
    weights = FakeDevice.buffer(FakeDevice.context()).tensor(ElementType.FLOAT32, 5, 2);
    refuses("weights belongs to another context");
  }

  @Test
  void refusesWeightsThatRowsWereNotSortedFor() {
    assertThatThrownBy(
            () ->
                experts
                    .unsorted(shape, x, validRows, ids, Optional.of(Float8Scaling.BLOCK))
                    .check(weights, gateUp, down, out))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(
            "weights must be FP8 with scales by BLOCK, as the rows were sorted for, are bfloat16");
  }

  @ParameterizedTest
  @CsvSource({
    "0, 2, 64, 32, experts must be 1 to 512",
    "513, 2, 64, 32, experts must be 1 to 512",
    "8, 0, 64, 32, experts per token must be 1 to 32",
    "8, 33, 64, 32, experts per token must be 1 to 32",
    "8, 2, 60, 32, hidden must be a multiple of 8",
    "8, 2, 64, 0, width must be a multiple of 8",
    "8, 2, 64, 65544, width must be a multiple of 8"
  })
  void refusesShapesThatCannotBe(int count, int perToken, int hidden, int width, String said) {
    assertThatThrownBy(() -> new ExpertsShape(count, perToken, hidden, width))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(said);
  }

  @Test
  void refusesMoreRowsThanKernelsCount() {
    shape.checkRows(1 << 20);
    assertThatThrownBy(() -> shape.checkRows((1 << 20) + 1))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("rows must be 1 to 1048576");
    assertThatThrownBy(() -> new ExpertsShape(64, 32, 64, 32).checkRows((1 << 19) + 1))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("rows must be 1 to 524288");
  }
}
