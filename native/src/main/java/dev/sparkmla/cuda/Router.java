package dev.sparkmla.cuda;

import static dev.sparkmla.cuda.TensorChecks.requireArray;
import static dev.sparkmla.cuda.TensorChecks.requireCount;
import static dev.sparkmla.cuda.TensorChecks.requireRows;

import dev.sparkmla.policy.RouterPolicy;
import java.util.Optional;

/**
 * Chooses the experts of each token from the router's logits.
 *
 * <p>A call only enqueues work on its stream: it neither allocates nor waits, and may be captured
 * into a {@link CudaGraph}. Scores are computed in double precision and rounded to float32; a row's
 * result does not depend on the other rows.
 *
 * <p>Immutable and thread-safe.
 */
public final class Router extends DeviceKernels {
  private static final int MOST_GROUPS = 32;

  Router(CudaContext context) {
    super(context);
  }

  /** The router of a device that {@link CudaContext#requireKernels} accepts. */
  public static Router on(CudaContext context) {
    return new Router(context.requireKernels());
  }

  private static int code(RouterPolicy.Method method) {
    return switch (method) {
      case SOFTMAX_GREEDY -> NativeExperts.SOFTMAX_GREEDY;
      case SOFTMAX_GROUP_LIMITED -> NativeExperts.SOFTMAX_GROUP_LIMITED;
      case SIGMOID_BIASED -> NativeExperts.SIGMOID_BIASED;
    };
  }

  /**
   * Enqueues the choice of experts. The lower id wins among equals; NaN counts as −infinity, so a
   * row's ids are distinct and in range whatever the logits are.
   *
   * @param logits float32 [n, experts], columns contiguous
   * @param bias float32 [experts], contiguous, with {@link RouterPolicy.Method#SIGMOID_BIASED}
   *     alone
   * @param policy at most 512 experts, 32 experts a token and 32 groups
   * @param ids gets int32 [n, perToken], contiguous, the best first
   * @param weights gets float32 [n, perToken], contiguous
   * @param stream of the context this object was made on
   * @throws CudaArgumentException where any of this does not hold, before anything is launched
   * @throws CudaException where the launch fails
   */
  public void route(
      DeviceTensor logits,
      Optional<DeviceTensor> bias,
      RouterPolicy policy,
      DeviceTensor ids,
      DeviceTensor weights,
      CudaStream stream) {
    enqueue(
        "spark_mla_route", NativeExperts::route, check(logits, bias, policy, ids, weights), stream);
  }

  /** Checks everything that a call can be wrong about, and returns its arguments. */
  long[] check(
      DeviceTensor logits,
      Optional<DeviceTensor> bias,
      RouterPolicy policy,
      DeviceTensor ids,
      DeviceTensor weights) {
    requireCount("experts", policy.experts(), ExpertsShape.MOST_EXPERTS);
    requireCount("experts per token", policy.perToken(), ExpertsShape.MOST_PER_TOKEN);
    requireCount("groups", policy.groups(), MOST_GROUPS);
    int rows = requireCount("rows of logits", logits.dimension(0));
    requireRows(
        context,
        "logits",
        logits,
        ElementType.FLOAT32,
        1,
        Float.BYTES,
        new long[] {rows, policy.experts()});
    boolean biased = policy.method() == RouterPolicy.Method.SIGMOID_BIASED;
    CudaArgumentException.require(
        bias.isPresent() == biased,
        biased ? "%s needs a bias" : "%s takes no bias",
        policy.method());
    bias.ifPresent(
        tensor -> requireArray(context, "bias", tensor, ElementType.FLOAT32, policy.experts()));
    requireArray(context, "ids", ids, ElementType.INT32, rows, policy.perToken());
    requireArray(context, "weights", weights, ElementType.FLOAT32, rows, policy.perToken());

    long[] fields = new long[NativeExperts.FIELD_COUNT];
    fields[NativeExperts.METHOD] = code(policy.method());
    fields[NativeExperts.FLAGS] = policy.normalized() ? NativeExperts.NORMALIZED : 0;
    fields[NativeExperts.ROWS] = rows;
    fields[NativeExperts.EXPERTS] = policy.experts();
    fields[NativeExperts.PER_TOKEN] = policy.perToken();
    fields[NativeExperts.GROUPS] = policy.groups();
    fields[NativeExperts.GROUPS_PER_TOKEN] = policy.groupsPerToken();
    fields[NativeExperts.SCALE] = Float.floatToRawIntBits(policy.scale());
    fields[NativeExperts.LOGITS] = logits.address();
    fields[NativeExperts.LOGITS_STRIDE] = logits.stride(0);
    fields[NativeExperts.BIAS] = bias.map(DeviceTensor::address).orElse(0L);
    fields[NativeExperts.IDS] = ids.address();
    fields[NativeExperts.WEIGHTS] = weights.address();
    return fields;
  }
}
