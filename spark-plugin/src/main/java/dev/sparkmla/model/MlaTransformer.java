package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Sampling;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * The forward pass of every supported architecture (DeepSeek-V2, arXiv:2405.04434; DeepSeek-V3,
 * arXiv:2412.19437), over any backend. Rows of one token decode in absorbed form, longer rows
 * prefill in expanded form. Owns its weights and its cache; the backend stays the caller's.
 */
public final class MlaTransformer implements LanguageModel {
  private final ModelConfig config;
  private final ComputeBackend backend;
  private final float softmaxScale;
  private final Resources resources;
  private final Parameters parameters;
  private final Rotation rotation;
  private final LatentCache cache;
  private boolean closed;

  private MlaTransformer(
      ModelConfig config, ComputeBackend backend, Weights weights, int blocks, Resources owned) {
    this.config = config;
    this.backend = backend;
    this.resources = owned;
    this.softmaxScale =
        (float)
            (Math.pow(config.nopeSize() + config.ropeSize(), -0.5)
                * config.rope().yarn().map(ModelConfig.Yarn::softmaxFactor).orElse(1.0));
    this.parameters = new Parameters(config, backend, weights, owned);
    this.rotation =
        owned.own(
            backend.rotation(
                RopeFrequencies.inverse(config.rope(), config.ropeSize()),
                config.rope().yarn().map(ModelConfig.Yarn::attentionFactor).orElse(1.0),
                config.rope().interleaved(),
                config.contextWindow()));
    this.cache = owned.own(backend.allocateCache(config.layers(), blocks));
  }

  /**
   * Loads a model folder.
   *
   * @param cacheBlocks number of 64-token blocks of the cache, ≥ 1
   * @throws ModelFormatException when the folder is not a whole model of a supported architecture
   * @throws dev.sparkmla.compute.ComputeException when the backend has no memory for it; nothing is
   *     held then, nor after any other failure
   */
  public static MlaTransformer load(Path folder, ComputeBackend backend, int cacheBlocks) {
    ModelConfig config = ModelConfig.read(folder);
    Resources owned = new Resources();
    try (Weights weights = Weights.open(folder)) {
      return new MlaTransformer(config, backend, weights, cacheBlocks, owned);
    } catch (RuntimeException | Error e) {
      owned.close();
      throw e;
    }
  }

  /** Bytes of one 64-token block of the cache, over all layers. */
  public static int blockBytes(ModelConfig config) {
    return config.layers() * LatentCache.BLOCK_TOKENS * LatentCache.WIDTH * Short.BYTES;
  }

  @Override
  public ModelConfig config() {
    return config;
  }

  @Override
  public int cacheBlocks() {
    return cache.blocks();
  }

  @Override
  public int[] step(StepBatch batch) {
    int[] tokens = new int[batch.rows().size()];
    Arrays.fill(tokens, NO_TOKEN);
    List<Integer> wanting = new ArrayList<>();
    List<Sampling> sampling = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      Optional<Sampling> wanted = batch.rows().get(i).sampling();
      if (wanted.isPresent()) {
        wanting.add(i);
        sampling.add(wanted.get());
      }
    }
    try (Resources step = new Resources()) {
      Optional<Activation> logits = forward(batch, wanting, step);
      if (logits.isPresent()) {
        int[] chosen = backend.sample(logits.get(), sampling);
        for (int i = 0; i < chosen.length; i++) {
          tokens[wanting.get(i)] = chosen[i];
        }
      }
    }
    return tokens;
  }

  /**
   * Computes a step as {@link #step} does, and returns the logits after every row's last token.
   *
   * @return float32 {@code [rows][vocabulary]}
   */
  public float[][] logits(StepBatch batch) {
    List<Integer> all = new ArrayList<>();
    for (int i = 0; i < batch.rows().size(); i++) {
      all.add(i);
    }
    try (Resources step = new Resources()) {
      return backend.read(forward(batch, all, step).orElseThrow());
    }
  }

  /** Logits of the wanting rows, in their order; empty when there are none. */
  private Optional<Activation> forward(StepBatch batch, List<Integer> wanting, Resources step) {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
    List<Segment> decoding = new ArrayList<>();
    List<Segment> prefilling = new ArrayList<>();
    for (StepRow row : batch.rows()) {
      Segment segment = checked(row);
      (decodes(row) ? decoding : prefilling).add(segment);
    }
    int[] lastRows = lastRows(batch, decoding.size());
    StepPlan plan = step.own(backend.plan(decoding, prefilling));
    Activation hidden = step.own(backend.allocate(plan.rows(), config.hiddenSize()));
    backend.embed(parameters.embedding(), plan, hidden);
    for (int layer = 0; layer < config.layers(); layer++) {
      parameters.layer(layer).attention().addTo(hidden, layer, plan, this);
      parameters.layer(layer).feedForward().addTo(hidden, backend);
    }
    if (wanting.isEmpty()) {
      return Optional.empty();
    }
    int[] rows = wanting.stream().mapToInt(row -> lastRows[row]).toArray();
    try (Activation last = backend.allocate(rows.length, config.hiddenSize())) {
      backend.gather(hidden, rows, last);
      backend.normalize(last, parameters.norm(), config.normEpsilon(), last);
      Activation logits = step.own(backend.allocate(rows.length, config.vocabularySize()));
      backend.linear(last, parameters.output(), Optional.empty(), logits);
      return Optional.of(logits);
    }
  }

  private static boolean decodes(StepRow row) {
    return row.tokens().length == 1;
  }

  /** By row of the batch, which row of the activations its last token is. */
  private static int[] lastRows(StepBatch batch, int decoding) {
    int[] rows = new int[batch.rows().size()];
    int decoded = 0;
    int prefilled = decoding;
    for (int i = 0; i < rows.length; i++) {
      StepRow row = batch.rows().get(i);
      if (decodes(row)) {
        rows[i] = decoded++;
      } else {
        prefilled += row.tokens().length;
        rows[i] = prefilled - 1;
      }
    }
    return rows;
  }

  private Segment checked(StepRow row) {
    int needed =
        (row.position() + row.tokens().length + LatentCache.BLOCK_TOKENS - 1)
            / LatentCache.BLOCK_TOKENS;
    if (row.tokens().length == 0 || row.position() < 0 || row.blocks().length < needed) {
      throw new IllegalArgumentException(
          "a row of "
              + row.tokens().length
              + " tokens at position "
              + row.position()
              + " with "
              + row.blocks().length
              + " blocks; expected ≥ 1 tokens and ≥ "
              + needed
              + " blocks");
    }
    for (int i = 0; i < needed; i++) {
      if (row.blocks()[i] < 0 || row.blocks()[i] >= cache.blocks()) {
        throw new IllegalArgumentException(
            "block " + row.blocks()[i] + " of a cache of " + cache.blocks() + " blocks");
      }
    }
    for (int token : row.tokens()) {
      if (token < 0 || token >= config.vocabularySize()) {
        throw new IllegalArgumentException(
            "token " + token + " of a vocabulary of " + config.vocabularySize() + " tokens");
      }
    }
    return new Segment(row.tokens(), row.position(), row.blocks());
  }

  ComputeBackend backend() {
    return backend;
  }

  Rotation rotation() {
    return rotation;
  }

  LatentCache cache() {
    return cache;
  }

  float softmaxScale() {
    return softmaxScale;
  }

  @Override
  public void close() {
    if (closed) {
      throw new IllegalStateException("the model is closed already");
    }
    closed = true;
    resources.close();
  }
}
