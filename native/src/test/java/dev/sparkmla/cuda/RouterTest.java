package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.policy.RouterPolicy;
import dev.sparkmla.policy.RouterPolicy.Method;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** Every argument that is refused before anything is launched. */
class RouterTest {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final Router router = new Router(context);

  private RouterPolicy policy = new RouterPolicy(Method.SIGMOID_BIASED, 64, 6, 8, 3, true, 2.5f);
  private DeviceTensor logits = memory.tensor(ElementType.FLOAT32, 5, 64);
  private Optional<DeviceTensor> bias = Optional.of(memory.tensor(ElementType.FLOAT32, 64));
  private DeviceTensor ids = memory.tensor(ElementType.INT32, 5, 6);
  private DeviceTensor weights = memory.tensor(ElementType.FLOAT32, 5, 6);

  private long[] check() {
    return router.check(logits, bias, policy, ids, weights);
  }

  private void refuses(String... said) {
    assertThatThrownBy(this::check)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContainingAll(said);
  }

  @Test
  void handsOverPolicyAddressesAndStrides() {
    logits =
        DeviceTensor.strided(
            memory, 256, ElementType.FLOAT32, new long[] {5, 64}, new long[] {70, 1});

    long[] fields = check();

    assertThat(fields[NativeExperts.METHOD]).isEqualTo(2);
    assertThat(fields[NativeExperts.FLAGS]).isEqualTo(NativeExperts.NORMALIZED);
    assertThat(fields[NativeExperts.ROWS]).isEqualTo(5);
    assertThat(fields[NativeExperts.EXPERTS]).isEqualTo(64);
    assertThat(fields[NativeExperts.PER_TOKEN]).isEqualTo(6);
    assertThat(fields[NativeExperts.GROUPS]).isEqualTo(8);
    assertThat(fields[NativeExperts.GROUPS_PER_TOKEN]).isEqualTo(3);
    assertThat(Float.intBitsToFloat((int) fields[NativeExperts.SCALE])).isEqualTo(2.5f);
    assertThat(fields[NativeExperts.LOGITS]).isEqualTo(memory.address() + 256);
    assertThat(fields[NativeExperts.LOGITS_STRIDE]).isEqualTo(70);
    assertThat(fields[NativeExperts.BIAS]).isEqualTo(memory.address());
  }

  @Test
  void refusesTensorsThatDoNotFitThePolicy() {
    logits = memory.tensor(ElementType.FLOAT32, 5, 63);
    refuses("logits must have the shape [5, 64]", "[5, 63]");
    logits = memory.tensor(ElementType.BFLOAT16, 5, 64);
    refuses("logits must be float32");
    logits = memory.tensor(ElementType.FLOAT32, 5, 64);
    ids = memory.tensor(ElementType.INT32, 5, 5);
    refuses("ids must have the shape [5, 6]");
    ids = memory.tensor(ElementType.INT32, 5, 6);
    weights =
        DeviceTensor.strided(memory, 0, ElementType.FLOAT32, new long[] {5, 6}, new long[] {8, 1});
    refuses("weights must be contiguous");
  }

  @Test
  void refusesABiasThatIsMissingOrNotWanted() {
    bias = Optional.empty();
    refuses("SIGMOID_BIASED needs a bias");
    bias = Optional.of(memory.tensor(ElementType.FLOAT32, 63));
    refuses("bias must have the shape [64]");
    policy = new RouterPolicy(Method.SOFTMAX_GREEDY, 64, 6, 1, 1, false, 1);
    refuses("SOFTMAX_GREEDY takes no bias");
  }

  @Test
  void refusesMemoryOfAnotherContext() {
    ids = FakeDevice.buffer(FakeDevice.context()).tensor(ElementType.INT32, 5, 6);
    refuses("ids belongs to another context");
  }

  @Test
  void refusesPoliciesBeyondTheKernelsLimits() {
    policy = new RouterPolicy(Method.SOFTMAX_GREEDY, 513, 6, 1, 1, true, 1);
    refuses("experts must be at most 512, are 513");
    policy = new RouterPolicy(Method.SOFTMAX_GREEDY, 64, 33, 1, 1, true, 1);
    refuses("experts per token must be at most 32, are 33");
    policy = new RouterPolicy(Method.SIGMOID_BIASED, 64, 6, 64, 64, true, 1);
    refuses("groups must be at most 32, are 64");
  }
}
