package dev.sparkmla.cuda;

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
public final class Router {
  private static final int MOST_GROUPS = 32;

  private final CudaContext context;

  /** For tests of argument checks, which need neither device nor library. */
  Router(CudaContext context) {
    this.context = context;
  }

  /**
   * Readies routing on a device.
   *
   * @throws CudaUnavailableException where the device is not of compute capability 9.0, or this
   *     build has no native library
   */
  public static Router on(CudaContext context) {
    context.device().requireHopper();
    NativeLibrary.load();
    return new Router(context);
  }

  /**
   * Enqueues the choice. The lower id wins among equals; NaN counts as −infinity, so a row's ids
   * are distinct and in range whatever the logits are.
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
    long[] fields = check(logits, bias, policy, ids, weights);
    TensorChecks.requireContext("stream", stream.context(), context);
    fields[NativeLibrary.ROUTE_STREAM] = stream.address();
    context.makeCurrent();
    NativeLibrary.check(NativeLibrary.route(fields), "spark_mla_route", context.device());
  }

  private static int code(RouterPolicy.Method method) {
    return switch (method) {
      case SOFTMAX_GREEDY -> NativeLibrary.ROUTE_SOFTMAX_GREEDY;
      case SOFTMAX_GROUP_LIMITED -> NativeLibrary.ROUTE_SOFTMAX_GROUP_LIMITED;
      case SIGMOID_BIASED -> NativeLibrary.ROUTE_SIGMOID_BIASED;
    };
  }

  /** Checks everything that a call can be wrong about, and returns it as native code takes it. */
  long[] check(
      DeviceTensor logits,
      Optional<DeviceTensor> bias,
      RouterPolicy policy,
      DeviceTensor ids,
      DeviceTensor weights) {
    CudaArgumentException.require(
        policy.experts() <= ExpertsShape.MOST_EXPERTS,
        "experts must be at most %d, are %d",
        ExpertsShape.MOST_EXPERTS,
        policy.experts());
    CudaArgumentException.require(
        policy.perToken() <= ExpertsShape.MOST_PER_TOKEN,
        "experts per token must be at most %d, are %d",
        ExpertsShape.MOST_PER_TOKEN,
        policy.perToken());
    CudaArgumentException.require(
        policy.groups() <= MOST_GROUPS,
        "groups must be at most %d, are %d",
        MOST_GROUPS,
        policy.groups());
    long rows = logits.dimension(0);
    CudaArgumentException.require(
        rows <= Integer.MAX_VALUE, "logits must have at most 2^31 - 1 rows, are %s", logits);
    Experts.requireRows(
        "logits", logits, ElementType.FLOAT32, rows, policy.experts(), 1, Float.BYTES, context);
    boolean biased = policy.method() == RouterPolicy.Method.SIGMOID_BIASED;
    CudaArgumentException.require(
        bias.isPresent() == biased,
        biased ? "%s needs a bias" : "%s takes no bias",
        policy.method());
    bias.ifPresent(
        tensor ->
            Experts.requireContiguous(
                "bias", tensor, ElementType.FLOAT32, context, policy.experts()));
    Experts.requireContiguous("ids", ids, ElementType.INT32, context, rows, policy.perToken());
    Experts.requireContiguous(
        "weights", weights, ElementType.FLOAT32, context, rows, policy.perToken());

    long[] fields = new long[NativeLibrary.ROUTE_FIELD_COUNT];
    fields[NativeLibrary.ROUTE_METHOD] = code(policy.method());
    fields[NativeLibrary.ROUTE_FLAGS] = policy.normalized() ? NativeLibrary.ROUTE_NORMALIZED : 0;
    fields[NativeLibrary.ROUTE_ROWS] = rows;
    fields[NativeLibrary.ROUTE_EXPERTS] = policy.experts();
    fields[NativeLibrary.ROUTE_PER_TOKEN] = policy.perToken();
    fields[NativeLibrary.ROUTE_GROUPS] = policy.groups();
    fields[NativeLibrary.ROUTE_GROUPS_PER_TOKEN] = policy.groupsPerToken();
    fields[NativeLibrary.ROUTE_SCALE] = Float.floatToRawIntBits(policy.scale());
    fields[NativeLibrary.ROUTE_LOGITS] = logits.address();
    fields[NativeLibrary.ROUTE_LOGITS_STRIDE] = logits.stride(0);
    fields[NativeLibrary.ROUTE_BIAS] = bias.map(DeviceTensor::address).orElse(0L);
    fields[NativeLibrary.ROUTE_IDS] = ids.address();
    fields[NativeLibrary.ROUTE_WEIGHTS] = weights.address();
    return fields;
  }
}
