package dev.sparkmla.sql.bench;

import dev.sparkmla.arrow.FinishReason;
import dev.sparkmla.arrow.GenerationRequest;
import dev.sparkmla.arrow.GenerationResult;
import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import org.apache.spark.api.plugin.PluginContext;

/**
 * The plugin over a generator that reads every request, as an engine does, and answers at once,
 * with the same text.
 */
public final class InstantPlugin extends MlaPlugin {
  /** Made by Spark. */
  public InstantPlugin() {}

  @Override
  protected TextGenerator open(MlaConf conf, PluginContext context) {
    return new Instant();
  }

  private static final class Instant implements TextGenerator {
    private static final String TEXT = "A text of forty characters, as an answer";

    @Override
    public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
      try (requests) {
        List<List<GenerationResult>> results = new ArrayList<>(requests.rows());
        for (int row = 0; row < requests.rows(); row++) {
          results.add(requests.request(row).map(Instant::answer).orElse(List.of()));
        }
        ended.accept(ResultBatch.of(results, requests.parentAllocator()));
        return CompletableFuture.completedFuture(null);
      }
    }

    @Override
    public int maxSequences() {
      return 256;
    }

    private static List<GenerationResult> answer(GenerationRequest request) {
      return List.of(
          new GenerationResult(
              TEXT, Optional.empty(), FinishReason.STOP, 50, 0, 10, Optional.empty()));
    }

    @Override
    public EngineStatistics statistics() {
      return EngineStatistics.NONE;
    }

    @Override
    public void close() {}
  }
}
