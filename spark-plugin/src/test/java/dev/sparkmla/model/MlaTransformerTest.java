package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.cpu.CacheElements;
import dev.sparkmla.compute.cpu.CpuBackend;
import dev.sparkmla.policy.Sampling;
import java.util.List;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The forward pass on the processor. */
class MlaTransformerTest extends TransformerLaws {
  private static final int BLOCKS = 32;

  @Override
  ComputeBackend open() {
    return ComputeBackends.cpu(2);
  }

  @Override
  boolean growsQueries() {
    return true;
  }

  @Override
  double tolerance(GoldenCheckpoint.Case golden) {
    return 2e-2;
  }

  /** With a cache that is not rounded, nothing is: what is left are sums in another order. */
  @ParameterizedTest
  @MethodSource("checkpoints")
  void reportsTheReferencesLogProbabilitiesInFloat32(GoldenCheckpoint checkpoint) {
    Sampling sampling = Sampling.GREEDY.withLogprobs(OptionalInt.of(Sampling.MOST_LOGPROBS));
    int[] blocks = IntStream.range(0, BLOCKS).toArray();
    try (ComputeBackend backend = new CpuBackend(2, CacheElements.FLOAT32);
        MlaTransformer model = checkpoint.load(backend, new CacheSize.Blocks(BLOCKS))) {
      for (GoldenCheckpoint.Case golden : checkpoint.cases()) {
        int[] tokens = golden.tokens();
        Segment segment =
            new Segment(
                Segment.Role.PREFILL,
                new Segment.Tokens.Known(tokens),
                0,
                blocks,
                List.of(new Segment.Sample(tokens.length - 1, sampling)));
        Logprobs reported = model.submit(List.of(segment)).tokens().logprobs(0).orElseThrow();
        double[] expected = logSoftmax(golden.logits());
        assertThat(reported.likeliest()).hasSize(Sampling.MOST_LOGPROBS);
        for (Logprobs.Likely likely : reported.likeliest()) {
          assertThat((double) likely.logprob())
              .as("token %d after %s", likely.token(), golden)
              .isCloseTo(expected[likely.token()], Offset.offset(1e-3));
        }
      }
    }
  }
}
