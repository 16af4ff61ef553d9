package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.policy.Sampling;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The forward pass of every supported architecture (DeepSeek-V2, arXiv:2405.04434; DeepSeek-V3,
 * arXiv:2412.19437), over any backend. Rows of one token decode in absorbed form, longer rows
 * prefill in expanded form. Owns its weights and its cache; the backend stays the caller's.
 */
public final class MlaTransformer implements LanguageModel {
  /** Cached tokens of the step that is measured; backends expand fewer of them at once. */
  private static final int MEASURED_CONTEXT = 1 << 16;

  private final ModelConfig config;
  private final ComputeBackend backend;
  private final float softmaxScale;
  private final Resources resources;
  private final Parameters parameters;
  private final Rotation rotation;
  private LatentCache cache;
  private final Forward forward = this::compute;
  private final Deque<Step> pending = new ArrayDeque<>();
  private int[] sampledRowsBefore = {};
  private boolean closed;

  private MlaTransformer(
      ModelConfig config,
      ComputeBackend backend,
      ParameterSource source,
      CacheSize size,
      Resources owned) {
    this.config = config;
    this.backend = backend;
    this.resources = owned;
    this.softmaxScale =
        (float)
            (Math.pow(config.nopeSize() + config.ropeSize(), -0.5)
                * config.rope().yarn().map(ModelConfig.Yarn::softmaxFactor).orElse(1.0));
    MemoryPlan memory = new MemoryPlan(config, backend);
    this.parameters = new Parameters(config, backend, source, owned);
    this.rotation =
        owned.own(
            backend.rotation(
                RopeFrequencies.inverse(config.rope(), config.ropeSize()),
                config.rope().yarn().map(ModelConfig.Yarn::attentionFactor).orElse(1.0),
                config.rope().interleaved(),
                config.contextWindow()));
    int blocks;
    if (size instanceof CacheSize.MemoryFraction share) {
      memory.loaded();
      takeWorkspace(share);
      blocks = memory.blocks(share);
    } else {
      blocks = ((CacheSize.Blocks) size).count();
    }
    this.cache = owned.own(backend.allocateCache(config.layers(), blocks));
  }

  /**
   * Computes the largest steps over a cache of one block, so that the backend has taken its
   * workspace when the rest of the memory is given away. Every block of their sequences is that
   * one; what comes out means nothing.
   */
  private void takeWorkspace(CacheSize.MemoryFraction share) {
    Forward measured = this::compute;
    int most = Math.min(share.stepTokens(), config.contextWindow());
    int decoding = Math.max(0, Math.min(share.stepSequences(), most) - 1);
    try (LatentCache one = backend.allocateCache(config.layers(), 1)) {
      cache = one;
      for (int decodes : new int[] {0, decoding}) {
        int prefills = most - decodes;
        int context = Math.min(config.contextWindow(), prefills + MEASURED_CONTEXT);
        // A short step leaves slots of the block unwritten, and must not read them.
        int position = prefills < LatentCache.BLOCK_TOKENS ? 0 : context - prefills;
        Segment prompt = segment(prefills, position);
        Segment token = segment(1, position);
        try (StepPlan plan = backend.plan(Collections.nCopies(decodes, token), List.of(prompt))) {
          backend.run(plan, measured);
          backend.tokens(plan);
        }
      }
    }
  }

  private static Segment segment(int tokens, int position) {
    int blocks = (position + tokens + LatentCache.BLOCK_TOKENS - 1) / LatentCache.BLOCK_TOKENS;
    return new Segment(
        new int[tokens],
        position,
        new int[blocks],
        Optional.of(Sampling.GREEDY),
        OptionalInt.empty());
  }

  /**
   * Loads a model folder.
   *
   * @throws ModelFormatException when the folder is not a whole model of a supported architecture
   * @throws dev.sparkmla.compute.ComputeException when the backend has no memory for it; nothing is
   *     held then, nor after any other failure
   */
  public static MlaTransformer load(Path folder, ComputeBackend backend, CacheSize size) {
    ModelConfig config = ModelConfig.read(folder);
    try (Weights weights = Weights.open(folder)) {
      return make(config, backend, weights, size);
    }
  }

  /**
   * Makes a model with random parameters, which are drawn in the backend's memory.
   *
   * @param seed the same seed makes the same model
   * @throws dev.sparkmla.compute.ComputeException when the backend has no memory for it
   */
  public static MlaTransformer random(
      ModelConfig config, long seed, ComputeBackend backend, CacheSize size) {
    return make(config, backend, new RandomParameters(seed), size);
  }

  private static MlaTransformer make(
      ModelConfig config, ComputeBackend backend, ParameterSource source, CacheSize size) {
    Resources owned = new Resources();
    try {
      return new MlaTransformer(config, backend, source, size, owned);
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
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
  public boolean runsAhead() {
    return backend.runsAhead();
  }

  @Override
  public PendingStep submit(StepBatch batch) {
    refuseClosed();
    if (pending.size() == 2) {
      throw new IllegalStateException("two steps are pending; take the tokens of the first");
    }
    Layout layout = layout(batch, false);
    StepPlan plan = backend.plan(layout.decoding(), layout.prefilling());
    try {
      backend.run(plan, forward);
    } catch (RuntimeException | Error e) {
      plan.close();
      throw e;
    }
    Step step = new Step(plan, layout.sampledRows());
    pending.addLast(step);
    sampledRowsBefore = step.sampledRows;
    return step;
  }

  /** A step between {@link #submit} and the return of its tokens. */
  private final class Step implements PendingStep {
    private final StepPlan plan;
    private final int[] sampledRows;

    /**
     * @param sampledRows by row of the batch, which sampled row of the plan it is; {@link
     *     #NO_TOKEN} for none
     */
    Step(StepPlan plan, int[] sampledRows) {
      this.plan = plan;
      this.sampledRows = sampledRows;
    }

    @Override
    public int[] tokens() {
      if (pending.peekFirst() != this) {
        throw new IllegalStateException("the step is not the first that is pending");
      }
      pending.removeFirst();
      try (plan) {
        int[] sampled = backend.tokens(plan);
        int[] tokens = new int[sampledRows.length];
        for (int i = 0; i < tokens.length; i++) {
          tokens[i] = sampledRows[i] == NO_TOKEN ? NO_TOKEN : sampled[sampledRows[i]];
        }
        return tokens;
      }
    }
  }

  /**
   * Computes a step, and returns the logits after every row's last token. No step may be pending.
   *
   * @return float32 {@code [rows][vocabulary]}
   */
  public float[][] logits(StepBatch batch) {
    refuseClosed();
    if (!pending.isEmpty()) {
      throw new IllegalStateException("a step is pending");
    }
    Layout layout = layout(batch, true);
    try (StepPlan plan = backend.plan(layout.decoding(), layout.prefilling());
        Resources step = new Resources()) {
      float[][] rows = backend.read(logits(plan, step).orElseThrow());
      float[][] byBatch = new float[batch.rows().size()][];
      for (int i = 0; i < byBatch.length; i++) {
        byBatch[i] = rows[layout.sampledRows()[i]];
      }
      return byBatch;
    }
  }

  /** The operations of a step. */
  private void compute(StepPlan plan) {
    try (Resources step = new Resources()) {
      logits(plan, step).ifPresent(logits -> backend.sample(logits, plan));
    }
  }

  /** Logits of the sampled rows; empty when there are none. */
  private Optional<Activation> logits(StepPlan plan, Resources step) {
    Activation hidden =
        step.own(backend.allocate(plan.rows(), config.hiddenSize(), Precision.FLOAT32));
    backend.embed(parameters.embedding(), plan, hidden);
    for (int layer = 0; layer < config.layers(); layer++) {
      parameters.layer(layer).attention().addTo(hidden, layer, plan, this);
      parameters.layer(layer).feedForward().addTo(hidden, plan, backend);
    }
    int rows = plan.sampledRows();
    if (rows == 0) {
      return Optional.empty();
    }
    Activation logits =
        step.own(backend.allocate(rows, config.vocabularySize(), Precision.FLOAT32));
    try (Activation last = backend.allocate(rows, config.hiddenSize(), Precision.FLOAT32);
        Activation normed = backend.allocate(rows, config.hiddenSize(), Precision.BFLOAT16)) {
      backend.gatherSampled(hidden, plan, last);
      backend.normalize(last, parameters.norm(), config.normEpsilon(), normed);
      backend.linear(normed, parameters.output(), Optional.empty(), logits);
    }
    return Optional.of(logits);
  }

  /**
   * A batch as a backend takes it.
   *
   * @param sampledRows by row of the batch, which sampled row it is; {@link #NO_TOKEN} for none
   */
  private record Layout(List<Segment> decoding, List<Segment> prefilling, int[] sampledRows) {}

  private Layout layout(StepBatch batch, boolean sampleAll) {
    List<StepRow> rows = batch.rows();
    List<Segment> decoding = new ArrayList<>(rows.size());
    List<Segment> prefilling = new ArrayList<>();
    int[] sampledRows = new int[rows.size()];
    int sampled = 0;
    for (boolean decodes : new boolean[] {true, false}) {
      for (int i = 0; i < rows.size(); i++) {
        StepRow row = rows.get(i);
        if (decodes(row) != decodes) {
          continue;
        }
        Optional<Sampling> sampling = sampleAll ? Optional.of(Sampling.GREEDY) : row.sampling();
        (decodes ? decoding : prefilling).add(checked(row, sampling));
        sampledRows[i] = sampling.isPresent() ? sampled++ : NO_TOKEN;
      }
    }
    return new Layout(decoding, prefilling, sampledRows);
  }

  private static boolean decodes(StepRow row) {
    return row.tokens().length == 1;
  }

  private Segment checked(StepRow row, Optional<Sampling> sampling) {
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
    if (row.previousRow().isPresent()) {
      return new Segment(
          row.tokens(), row.position(), row.blocks(), sampling, OptionalInt.of(previous(row)));
    }
    for (int token : row.tokens()) {
      if (token < 0 || token >= config.vocabularySize()) {
        throw new IllegalArgumentException(
            "token " + token + " of a vocabulary of " + config.vocabularySize() + " tokens");
      }
    }
    return new Segment(row.tokens(), row.position(), row.blocks(), sampling, OptionalInt.empty());
  }

  /** The sampled row of the step before that a row names. */
  private int previous(StepRow row) {
    int previous = row.previousRow().orElseThrow();
    if (row.tokens().length != 1
        || previous < 0
        || previous >= sampledRowsBefore.length
        || sampledRowsBefore[previous] == NO_TOKEN) {
      throw new IllegalArgumentException(
          "a row of "
              + row.tokens().length
              + " tokens goes on with row "
              + previous
              + " of the step before; expected 1 token, and a row that wanted one");
    }
    return sampledRowsBefore[previous];
  }

  private void refuseClosed() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
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
    pending.forEach(step -> step.plan.close());
    pending.clear();
    resources.close();
  }
}
