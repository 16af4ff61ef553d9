package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.RouterPolicy;
import dev.sparkmla.policy.RouterPolicy.Method;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The router against the same rules written plainly on the host. */
@Tag("gpu")
class RouterGpuTest {
  /** What the device chose. */
  private record Choice(int[] ids, float[] weights) {}

  private static Choice route(RouterPolicy policy, float[] logits, float[] bias) {
    int rows = logits.length / policy.experts();
    int chosen = rows * policy.perToken();
    try (CudaContext context = CudaContext.open(GpuDevice.at(0));
        CudaStream stream = context.newStream();
        DeviceBuffer in = upload(context, logits, stream);
        DeviceBuffer biases = upload(context, bias, stream);
        DeviceBuffer ids = context.allocate(4L * chosen);
        DeviceBuffer weights = context.allocate(4L * chosen)) {
      Router.on(context)
          .route(
              in.tensor(ElementType.FLOAT32, rows, policy.experts()),
              policy.method() == Method.SIGMOID_BIASED
                  ? Optional.of(biases.tensor(ElementType.FLOAT32, policy.experts()))
                  : Optional.empty(),
              policy,
              ids.tensor(ElementType.INT32, rows, policy.perToken()),
              weights.tensor(ElementType.FLOAT32, rows, policy.perToken()),
              stream);
      Choice choice = new Choice(new int[chosen], new float[chosen]);
      DecodeProblem.read(ids, stream).asIntBuffer().get(choice.ids);
      DecodeProblem.read(weights, stream).asFloatBuffer().get(choice.weights);
      return choice;
    }
  }

  private static DeviceBuffer upload(CudaContext context, float[] values, CudaStream stream) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(values);
    DeviceBuffer buffer = context.allocate(bytes.capacity());
    buffer.copyFromHost(0, bytes, stream);
    return buffer;
  }

  private static float[] scores(RouterPolicy policy, float[] logits, int row) {
    int count = policy.experts();
    double[] powers = new double[count];
    double sum = 0;
    double largest = Double.NEGATIVE_INFINITY;
    for (int i = 0; i < count; i++) {
      largest = Math.max(largest, logits[row * count + i]);
    }
    for (int i = 0; i < count; i++) {
      powers[i] = Math.exp(logits[row * count + i] - largest);
      sum += powers[i];
    }
    float[] scores = new float[count];
    for (int i = 0; i < count; i++) {
      scores[i] =
          (float)
              (policy.method() == Method.SIGMOID_BIASED
                  ? 1 / (1 + Math.exp(-(double) logits[row * count + i]))
                  : powers[i] / sum);
    }
    return scores;
  }

  /** Indices by value, the largest first; the lower first among equals. */
  private static List<Integer> ranked(float[] values) {
    return IntStream.range(0, values.length)
        .boxed()
        .sorted(Comparator.comparing((Integer i) -> -values[i]).thenComparing(i -> i))
        .toList();
  }

  private static List<Integer> expected(RouterPolicy policy, float[] scores, float[] bias) {
    float[] ranks = scores.clone();
    boolean biased = policy.method() == Method.SIGMOID_BIASED;
    for (int i = 0; biased && i < ranks.length; i++) {
      ranks[i] += bias[i];
    }
    List<Integer> open = new ArrayList<>(ranked(ranks));
    if (policy.method() != Method.SOFTMAX_GREEDY) {
      int size = policy.experts() / policy.groups();
      float[] groups = new float[policy.groups()];
      for (int group = 0; group < groups.length; group++) {
        int first = group * size;
        List<Integer> best = ranked(Arrays.copyOfRange(ranks, first, first + size));
        groups[group] =
            biased
                ? ranks[first + best.get(0)] + ranks[first + best.get(1)]
                : ranks[first + best.get(0)];
      }
      List<Integer> best = ranked(groups).subList(0, policy.groupsPerToken());
      open.removeIf(i -> !best.contains(i / size));
    }
    return open.subList(0, policy.perToken());
  }

  @ParameterizedTest(name = "{0}, {1} experts, {2} a token, {4} of {3} groups, ties {5}")
  @CsvSource({
    "SOFTMAX_GREEDY, 64, 6, 1, 1, false", "SOFTMAX_GREEDY, 64, 6, 1, 1, true",
    "SOFTMAX_GREEDY, 7, 3, 1, 1, true", "SOFTMAX_GREEDY, 512, 32, 1, 1, false",
    "SOFTMAX_GROUP_LIMITED, 160, 6, 8, 3, false", "SOFTMAX_GROUP_LIMITED, 160, 6, 8, 3, true",
    "SOFTMAX_GROUP_LIMITED, 8, 2, 4, 2, true", "SIGMOID_BIASED, 256, 8, 8, 4, false",
    "SIGMOID_BIASED, 256, 8, 8, 4, true", "SIGMOID_BIASED, 64, 4, 1, 1, false",
    "SIGMOID_BIASED, 384, 8, 1, 1, true", "SIGMOID_BIASED, 64, 6, 32, 16, true"
  })
  void choosesAsThePlainRulesDo(
      Method method, int experts, int perToken, int groups, int groupsPerToken, boolean ties) {
    RouterPolicy policy =
        new RouterPolicy(method, experts, perToken, groups, groupsPerToken, ties, 2.5f);
    Random random = new Random(3);
    int rows = 203;
    float[] logits = new float[rows * experts];
    float[] bias = new float[experts];
    for (int i = 0; i < logits.length; i++) {
      float value = (float) (2 * random.nextGaussian());
      logits[i] = ties ? Math.round(2 * value) / 2f : value;
    }
    for (int i = 0; i < experts; i++) {
      bias[i] = ties ? random.nextInt(4) / 4f : random.nextFloat();
    }
    Choice choice = route(policy, logits, bias);
    for (int row = 0; row < rows; row++) {
      float[] scores = scores(policy, logits, row);
      List<Integer> wanted = expected(policy, scores, bias);
      float sum = 0;
      for (int expert : wanted) {
        sum += scores[expert];
      }
      for (int i = 0; i < perToken; i++) {
        int at = row * perToken + i;
        assertThat(choice.ids[at]).isEqualTo(wanted.get(i));
        float score = scores[wanted.get(i)];
        float weight = (policy.normalized() ? score / (sum + 1e-20f) : score) * 2.5f;
        assertThat(choice.weights[at]).isCloseTo(weight, Offset.offset(1e-6f * weight));
      }
    }
  }

  @Test
  void notANumberStillGivesDistinctExperts() {
    float[] logits = new float[64];
    Arrays.fill(logits, Float.NaN);
    RouterPolicy policy = new RouterPolicy(Method.SOFTMAX_GREEDY, 64, 6, 1, 1, true, 1);
    assertThat(route(policy, logits, new float[64]).ids).containsExactly(0, 1, 2, 3, 4, 5);
  }
}
