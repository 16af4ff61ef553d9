package dev.sparkmla.engine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.MlaPrefill;
import dev.sparkmla.cuda.PagedCache;
import dev.sparkmla.model.Architecture;
import dev.sparkmla.model.Architecture.Published;
import dev.sparkmla.model.Architecture.Sizes;
import dev.sparkmla.model.GoldenCheckpoint;
import dev.sparkmla.model.ModelConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The page of models says what the code supports, and that is what it is checked against. */
class ModelsDocTest {
  @Test
  void theTableIsWhatThePageOfModelsSays() throws IOException {
    String page = Files.readString(Path.of("..", "docs", "models.md"));

    assertThat(page)
        .as(
            "docs/models.md is stale: run the main class %s with its path",
            ModelsDoc.class.getName())
        .isEqualTo(ModelsDoc.table().update(page));
  }

  @Test
  void everyGoldenCheckpointIsNamedByItsArchitecture() {
    for (GoldenCheckpoint checkpoint : GoldenCheckpoint.all()) {
      assertThat(ModelConfig.read(checkpoint.folder()).architecture().goldenCheckpoints())
          .contains(checkpoint.toString());
    }
    List<String> checkpoints = GoldenCheckpoint.all().stream().map(Object::toString).toList();
    assertThat(
            Stream.of(Architecture.values())
                .flatMap(architecture -> architecture.goldenCheckpoints().stream()))
        .containsExactlyInAnyOrderElementsOf(checkpoints);
  }

  @ParameterizedTest
  @EnumSource
  void kernelsAreThereForTheSizesOfPublishedModels(Architecture architecture) {
    for (Published models : architecture.published()) {
      Sizes sizes = models.sizes();
      try {
        assertThat(PagedCache.supports(sizes.cache())).as(models.names()).isTrue();
        assertThat(MlaPrefill.supports(sizes.nope(), sizes.cache().rope(), sizes.value()))
            .as(models.names())
            .isTrue();
      } catch (CudaUnavailableException e) {
        abort("no native library: " + e.getMessage());
      }
    }
  }
}
