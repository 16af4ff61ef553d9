package dev.sparkmla.plugin;

import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.engine.EngineOptions;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.GenerationEngine;
import dev.sparkmla.engine.GenerationRequest;
import dev.sparkmla.engine.GenerationResult;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.ModelConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The engine over a model's folder, and the backend it computes with. */
final class ModelGenerator implements TextGenerator {
  private static final Logger LOGGER = LoggerFactory.getLogger(ModelGenerator.class);

  private final ComputeBackend backend;
  private final GenerationEngine engine;

  private ModelGenerator(ComputeBackend backend, GenerationEngine engine) {
    this.backend = backend;
    this.engine = engine;
  }

  /**
   * Loads the model. Whatever fails, what was opened before it is closed.
   *
   * @param opener makes the backend to compute with, which the generator owns
   * @throws InvalidConfigurationException when the settings name no folder, or too small a cache
   */
  static ModelGenerator open(MlaConf conf, Supplier<ComputeBackend> opener) {
    Path folder = conf.get(MlaConf.MODEL_PATH);
    if (!Files.isDirectory(folder)) {
      throw new InvalidConfigurationException(
          MlaConf.MODEL_PATH.key(), folder.toString(), MlaConf.MODEL_PATH.expected());
    }
    long start = System.nanoTime();
    ModelConfig model = ModelConfig.read(folder);
    ComputeBackend backend = opener.get();
    try {
      EngineOptions options = options(conf, model, backend);
      GenerationEngine engine = GenerationEngine.open(folder, backend, options);
      LOGGER.info(
          "Loaded {} on {} in {} s, with a cache of {} tokens",
          folder,
          backend.name(),
          Math.round((System.nanoTime() - start) / 1e8) / 10.0,
          64L * engine.statistics().cacheBlocks());
      return new ModelGenerator(backend, engine);
    } catch (RuntimeException | Error problem) {
      backend.close();
      throw problem;
    }
  }

  private static EngineOptions options(MlaConf conf, ModelConfig model, ComputeBackend backend) {
    int tokens = conf.get(MlaConf.MAX_BATCHED_TOKENS);
    int sequences = conf.get(MlaConf.MAX_SEQUENCES);
    CacheSize size =
        backend.freeMemory().isPresent()
            ? new CacheSize.MemoryFraction(
                conf.get(MlaConf.CACHE_MEMORY_FRACTION), tokens, sequences)
            : cacheBlocks(conf, model);
    return new EngineOptions(tokens, sequences, size, conf.get(MlaConf.MAX_TOKENS));
  }

  private static CacheSize cacheBlocks(MlaConf conf, ModelConfig model) {
    long blockBytes = model.cacheBlockBytes();
    long blocks = conf.get(MlaConf.CACHE_SIZE) / blockBytes;
    if (blocks < 1 || blocks > Integer.MAX_VALUE) {
      throw new InvalidConfigurationException(
          MlaConf.CACHE_SIZE.key(),
          String.valueOf(conf.get(MlaConf.CACHE_SIZE)),
          "room for 1 to 2147483647 blocks of "
              + model.cacheShape().page()
              + " tokens, "
              + blockBytes
              + " bytes each with this model");
    }
    return new CacheSize.Blocks((int) blocks);
  }

  @Override
  public CompletableFuture<GenerationResult> submit(GenerationRequest request) {
    return engine.submit(request);
  }

  @Override
  public EngineStatistics statistics() {
    return engine.statistics();
  }

  @Override
  public void close() {
    try {
      engine.close();
    } finally {
      backend.close();
    }
  }
}
