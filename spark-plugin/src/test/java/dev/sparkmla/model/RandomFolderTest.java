package dev.sparkmla.model;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeBackends;
import dev.sparkmla.compute.Segments;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RandomFolderTest {
  private static final Path GOLDEN = Path.of("src", "test", "golden");
  private static final CacheSize ONE_BLOCK = new CacheSize.Blocks(1);

  @TempDir Path folder;

  @ParameterizedTest
  @ValueSource(strings = {"deepseek-v2-greedy", "deepseek-v3", "glm4-moe-lite", "youtu"})
  void holdsAllParametersAndNoOthers(String checkpoint) throws IOException {
    Files.copy(GOLDEN.resolve(checkpoint).resolve("config.json"), folder.resolve("config.json"));
    ModelConfig config = ModelConfig.read(folder);
    long bytes = RandomFolder.writeWeights(folder);
    try (ComputeBackend backend = ComputeBackends.cpu(2);
        Weights weights = Weights.open(folder);
        MlaTransformer written = MlaTransformer.load(config, weights, backend, ONE_BLOCK);
        MlaTransformer random =
            MlaTransformer.load(config, new RandomParameters(1), backend, ONE_BLOCK)) {
      assertThat(weights.size()).isEqualTo(bytes);
      assertThat(logits(written)).isEqualTo(logits(random));
    }
  }

  private static float[] logits(MlaTransformer model) {
    return model.logits(List.of(Segments.prompt(new int[] {5, 7, 11}, 0, new int[] {0})))[0];
  }
}
