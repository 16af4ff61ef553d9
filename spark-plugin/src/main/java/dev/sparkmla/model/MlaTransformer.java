package dev.sparkmla.model;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Resources;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.policy.Constraint;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * The forward pass of every supported architecture (DeepSeek-V2, arXiv:2405.04434; DeepSeek-V3,
 * arXiv:2412.19437), over any backend. Owns its weights and its cache; the backend stays the
 * caller's.
 */
public final class MlaTransformer implements LanguageModel {
  private final ModelConfig config;
  private final ComputeBackend backend;
  private final Resources resources;
  private final Parameters parameters;
  private final LatentCache cache;
  private final Forward forward;
  private final Deque<Step> pending = new ArrayDeque<>();
  private int sampledRowsBefore;
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
    AttentionShape shape = config.attentionShape();
    backend.requireSupported(shape);
    MemoryPlan memory = new MemoryPlan(config, source.bytes(), backend);
    Rotation rotation =
        owned.own(
            backend.rotation(
                config.rope().inverseFrequencies(shape.cache().rope()),
                config.rope().scaling().attentionFactor(),
                config.rope().interleaved(),
                config.contextWindow()));
    this.parameters = new Parameters(config, shape, rotation, backend, source, owned);
    int blocks;
    if (size instanceof CacheSize.MemoryFraction share) {
      memory.loaded();
      takeWorkspace(share);
      blocks = memory.blocks(share);
    } else {
      blocks = ((CacheSize.Blocks) size).count();
    }
    this.cache = owned.own(backend.allocateCache(shape.cache(), config.layers(), blocks));
    this.forward = plan -> compute(plan, cache);
  }

  /** Has the backend take its memory before the rest of it is given away. */
  private void takeWorkspace(CacheSize.MemoryFraction share) {
    StepLimits limits =
        new StepLimits(
            share.stepTokens(),
            Math.min(share.stepSequences(), share.stepTokens()),
            config.contextWindow());
    try (LatentCache one = backend.allocateCache(config.cacheShape(), config.layers(), 1)) {
      backend.reserve(limits, plan -> compute(plan, one));
    }
  }

  /**
   * Loads a model.
   *
   * @param source its parameters, which are copied; it stays the caller's
   * @param backend computes; it stays the caller's and must outlive the model
   * @throws ModelFormatException when the parameters are not all of such a model and no others
   * @throws dev.sparkmla.compute.ComputeException when the backend has no memory for it; nothing is
   *     held then, nor after any other failure
   */
  public static MlaTransformer load(
      ModelConfig config, ParameterSource source, ComputeBackend backend, CacheSize size) {
    Resources owned = new Resources();
    try {
      return new MlaTransformer(config, backend, source, size, owned);
    } catch (RuntimeException | Error e) {
      owned.closeAfter(e);
      throw e;
    }
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
  public Optional<ConstraintTable> constrain(Constraint constraint) {
    return backend.constrain(constraint);
  }

  @Override
  public PendingStep submit(List<Segment> segments) {
    refuseClosed();
    if (pending.size() == 2) {
      throw new IllegalStateException("two steps are pending; take the tokens of the first");
    }
    segments.forEach(this::check);
    StepPlan plan = backend.plan(segments);
    try {
      backend.run(plan, forward);
    } catch (RuntimeException | Error e) {
      plan.close();
      throw e;
    }
    Step step = new Step(plan);
    pending.addLast(step);
    sampledRowsBefore = segments.stream().mapToInt(segment -> segment.samples().size()).sum();
    return step;
  }

  /** A step between {@link #submit} and the return of its tokens. */
  private final class Step implements PendingStep {
    private final StepPlan plan;

    Step(StepPlan plan) {
      this.plan = plan;
    }

    @Override
    public SampledTokens tokens() {
      if (pending.peekFirst() != this) {
        throw new IllegalStateException("the step is not the first that is pending");
      }
      pending.removeFirst();
      try (plan) {
        return backend.tokens(plan);
      }
    }
  }

  /**
   * Computes a step, and returns the logits at the samples of its segments, in order. No step may
   * be pending.
   *
   * @return float32 {@code [samples][vocabulary]}
   */
  public float[][] logits(List<Segment> segments) {
    refuseClosed();
    if (!pending.isEmpty()) {
      throw new IllegalStateException("a step is pending");
    }
    segments.forEach(this::check);
    int samples = segments.stream().mapToInt(segment -> segment.samples().size()).sum();
    try (StepPlan plan = backend.plan(segments);
        Resources step = new Resources()) {
      float[][] logits = backend.read(logits(plan, cache, step).orElseThrow());
      return IntStream.range(0, samples)
          .mapToObj(sample -> logits[plan.sampledRow(sample)])
          .toArray(float[][]::new);
    }
  }

  /** The operations of a step. */
  private void compute(StepPlan plan, LatentCache latents) {
    try (Resources step = new Resources()) {
      logits(plan, latents, step).ifPresent(logits -> backend.sample(logits, plan, latents));
    }
  }

  /** Logits of the sampled rows; empty when there are none. */
  private Optional<Activation> logits(StepPlan plan, LatentCache latents, Resources step) {
    Activation hidden =
        step.own(backend.allocate(plan.rows(), config.hiddenSize(), Precision.FLOAT32));
    backend.writeTokens(plan, latents);
    backend.embed(parameters.embedding(), config.scales().streamEmbedding(), plan, hidden);
    addLayers(hidden, plan, latents);
    int rows = plan.sampledRows();
    if (rows == 0) {
      return Optional.empty();
    }
    Activation logits =
        step.own(backend.allocate(rows, config.vocabularySize(), Precision.FLOAT32));
    try (Activation last = backend.allocate(rows, config.hiddenSize(), Precision.FLOAT32);
        Activation normed =
            backend.allocate(rows, config.hiddenSize(), parameters.output().inputs())) {
      backend.gatherSampled(hidden, plan, last);
      parameters.norm().apply(last, normed, backend);
      backend.linear(normed, parameters.output(), Optional.empty(), logits);
    }
    return Optional.of(logits);
  }

  /** Adds all layers to the residual stream. Each norms it for the next. */
  private void addLayers(Activation hidden, StepPlan plan, LatentCache latents) {
    List<Layer> layers = parameters.layers();
    Optional<NormedRows> next = Optional.empty();
    try {
      next = Optional.of(normed(layers.get(0), plan));
      next.get().of(hidden, backend);
      for (int i = 0; i < layers.size(); i++) {
        try (NormedRows input = next.get()) {
          next = Optional.empty(); // so that it is closed once
          layers.get(i).mixer().addTo(hidden, input.rows(), plan, latents, backend);
        }
        if (i + 1 < layers.size()) {
          next = Optional.of(normed(layers.get(i + 1), plan));
        }
        layers.get(i).feedForward().addTo(hidden, plan, backend, next);
      }
    } finally {
      next.ifPresent(NormedRows::close);
    }
  }

  private NormedRows normed(Layer layer, StepPlan plan) {
    return new NormedRows(layer.mixer(), config.hiddenSize(), plan, backend);
  }

  /** Refuses a segment that would read or write what is not there. */
  private void check(Segment segment) {
    int needed = cache.shape().blocksFor(segment.end());
    if (segment.blocks().length < needed) {
      throw new IllegalArgumentException(
          "a segment of %d tokens at position %d with %d blocks; expected at least %d"
              .formatted(segment.count(), segment.position(), segment.blocks().length, needed));
    }
    for (int i = 0; i < needed; i++) {
      if (segment.blocks()[i] < 0 || segment.blocks()[i] >= cache.blocks()) {
        throw new IllegalArgumentException(
            "block " + segment.blocks()[i] + " of a cache of " + cache.blocks() + " blocks");
      }
    }
    if (segment.tokens() instanceof Segment.Tokens.Sampled sampled) {
      if (sampled.row() < 0 || sampled.row() >= sampledRowsBefore) {
        throw new IllegalArgumentException(
            "a segment goes on with sampled row %d of the step before, which had %d"
                .formatted(sampled.row(), sampledRowsBefore));
      }
    } else if (segment.tokens() instanceof Segment.Tokens.Known known) {
      for (int token : known.ids()) {
        if (token < 0 || token >= config.vocabularySize()) {
          throw new IllegalArgumentException(
              "token " + token + " of a vocabulary of " + config.vocabularySize() + " tokens");
        }
      }
    }
  }

  private void refuseClosed() {
    if (closed) {
      throw new IllegalStateException("the model is closed");
    }
  }

  /** For benchmarks, which fill it at once. */
  LatentCache cache() {
    return cache;
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
