package dev.sparkmla.plugin;

import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.apache.spark.api.plugin.PluginContext;

/** The engine over a model's folder. */
final class ModelGenerator implements TextGenerator {
  private ModelGenerator() {}

  static ModelGenerator open(MlaConf conf, PluginContext context) {
    Path folder = conf.get(MlaConf.MODEL_PATH);
    if (!Files.isDirectory(folder)) {
      throw new InvalidConfigurationException(
          MlaConf.MODEL_PATH.key(), folder.toString(), MlaConf.MODEL_PATH.expected());
    }
    throw new UnsupportedOperationException("the engine is not there yet");
  }

  @Override
  public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
    throw new UnsupportedOperationException("the engine is not there yet");
  }

  @Override
  public dev.sparkmla.engine.EngineStatistics statistics() {
    throw new UnsupportedOperationException("the engine is not there yet");
  }

  @Override
  public void close() {}
}
