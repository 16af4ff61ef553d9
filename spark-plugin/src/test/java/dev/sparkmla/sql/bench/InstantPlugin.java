package dev.sparkmla.sql.bench;

import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.FinishReason;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.plugin.MlaConf;
import dev.sparkmla.plugin.MlaPlugin;
import dev.sparkmla.plugin.TextGenerator;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.api.plugin.PluginContext;

/** The plugin over a generator that answers at once, with the same text. */
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
    public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
      return CompletableFuture.completedFuture(
          new GenerationResult(TEXT, FinishReason.STOP, 50, 0, 10, Optional.empty()));
    }

    @Override
    public EngineStatistics statistics() {
      return new EngineStatistics(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1);
    }

    @Override
    public void close() {}
  }
}
