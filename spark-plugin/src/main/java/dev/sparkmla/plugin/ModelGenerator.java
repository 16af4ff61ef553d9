package dev.sparkmla.plugin;

import dev.sparkmla.arrow.RequestBatch;
import dev.sparkmla.arrow.ResultBatch;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.engine.EngineOptions;
import dev.sparkmla.engine.EngineStatistics;
import dev.sparkmla.engine.GenerationEngine;
import dev.sparkmla.engine.ModelFolder;
import dev.sparkmla.model.CacheSize;
import dev.sparkmla.model.ModelConfig;
import java.nio.file.Files;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** An engine over a model folder, and the backend it computes with. */
final class ModelGenerator implements TextGenerator {
  private static final Logger LOGGER = LoggerFactory.getLogger(ModelGenerator.class);

  private final Resources owned;
  private final GenerationEngine engine;
  private final int maxSequences;

  private ModelGenerator(Resources owned, GenerationEngine engine, int maxSequences) {
    this.owned = owned;
    this.engine = engine;
    this.maxSequences = maxSequences;
  }

  /**
   * Loads the model. If that fails, everything opened so far is closed.
   *
   * @param folder the model's; it stays the caller's, and must outlive the generator
   * @param opener makes the backend to compute with, which the generator owns
   * @throws InvalidConfigurationException when the settings name no folder, or too small a cache
   */
  static ModelGenerator open(MlaConf conf, ModelFolder folder, Supplier<ComputeBackend> opener) {
    if (!Files.isDirectory(folder.path())) {
      throw new InvalidConfigurationException(
          MlaConf.MODEL_PATH.key(), folder.path().toString(), MlaConf.MODEL_PATH.expected());
    }
    long start = System.nanoTime();
    ModelConfig model = folder.config();
    Resources opened = new Resources();
    try {
      ComputeBackend backend = opened.own(opener.get());
      GenerationEngine engine =
          opened.own(GenerationEngine.open(folder, backend, options(conf, folder, backend)));
      LOGGER.info(
          "Loaded {} on {} in {} s, with a cache of {} tokens",
          folder.path(),
          backend.name(),
          Math.round((System.nanoTime() - start) / 1e8) / 10.0,
          (long) model.cacheShape().page() * engine.statistics().cacheBlocks());
      return new ModelGenerator(opened, engine, conf.get(MlaConf.MAX_SEQUENCES));
    } catch (RuntimeException | Error problem) {
      opened.closeAfter(problem);
      throw problem;
    }
  }

  private static EngineOptions options(MlaConf conf, ModelFolder folder, ComputeBackend backend) {
    int tokens =
        conf.get(MlaConf.MAX_BATCHED_TOKENS)
            .orElseGet(() -> StepTokens.fitting(backend.freeMemory(), folder::weightBytes));
    int sequences = conf.get(MlaConf.MAX_SEQUENCES);
    CacheSize size =
        backend.freeMemory().isPresent()
            ? new CacheSize.MemoryFraction(
                conf.get(MlaConf.CACHE_MEMORY_FRACTION), tokens, sequences)
            : cacheBlocks(conf, folder.config());
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
  public CompletableFuture<Void> submit(RequestBatch requests, Consumer<ResultBatch> ended) {
    return engine.submit(requests, ended);
  }

  @Override
  public int maxSequences() {
    return maxSequences;
  }

  @Override
  public EngineStatistics statistics() {
    return engine.statistics();
  }

  @Override
  public void close() {
    owned.close();
  }
}
