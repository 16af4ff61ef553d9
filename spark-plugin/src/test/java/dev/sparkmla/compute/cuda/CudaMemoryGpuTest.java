package dev.sparkmla.compute.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.MlaTransformer;
import dev.sparkmla.model.ModelShapes;
import dev.sparkmla.model.RandomParameters;
import java.util.List;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Whether a device's memory, given away to the last part, is enough for every step. */
@Tag("gpu")
class CudaMemoryGpuTest {
  private static final int POSITIONS = 40_000;

  @ParameterizedTest(name = "{0} tokens, {1} sequences, {2}")
  @CsvSource({
    "1, 1, BFLOAT16",
    "100, 100, BFLOAT16",
    "300, 7, FLOAT8_BLOCKS",
    "2048, 256, BFLOAT16",
    "2048, 256, FLOAT8_BLOCKS",
    "8192, 1000, BFLOAT16"
  })
  void noStepTakesMemoryOnceItIsGivenAway(int tokens, int sequences, WeightFormat format) {
    try (CudaBackend backend = new CudaBackend(GpuDevice.at(0))) {
      try (MlaTransformer model =
          MlaTransformer.load(
              ModelShapes.DEEPSEEK_V2_LITE.config(2, POSITIONS),
              new RandomParameters(1, format),
              backend,
              new CacheSize.MemoryFraction(1, tokens, sequences))) {
        CudaContext context = backend.device().context;
        long allocated = context.allocatedBytes();
        long free = context.freeMemoryBytes();
        StepLimits limits = new StepLimits(tokens, sequences, POSITIONS);
        for (long seed = 0; seed < 200; seed++) {
          model.submit(new RandomSteps(seed, limits).next()).tokens();
        }
        for (int round = 0; round < 3; round++) {
          for (int rows = sequences; rows > 0; rows -= 1 + rows / 9) {
            model.submit(decoding(rows)).tokens();
          }
        }
        assertThat(context.allocatedBytes()).isEqualTo(allocated);
        assertThat(context.freeMemoryBytes())
            .as("of " + free + " bytes: kernels may have been loaded, nothing else")
            .isGreaterThan(free - (32L << 20));
      }
      assertThat(backend.device().arena.live()).isZero();
    }
  }

  private static List<Segment> decoding(int rows) {
    return new MeasuredSteps(new StepLimits(rows, rows, 64)).decoding();
  }
}
