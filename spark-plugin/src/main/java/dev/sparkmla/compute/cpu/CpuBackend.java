package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Logprobs;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.QueryGrowth;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.ByteAutomaton;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.RouterPolicy;
import dev.sparkmla.policy.Sampling;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Computes on the processor: float32, over weights in their own formats and a bf16 cache.
 * Operations share their work among a fixed number of threads; OpenBLAS runs in each of them alone.
 */
public final class CpuBackend implements ComputeBackend {
  /** Rows of a task of an operation that goes row by row. */
  private static final int TASK_ROWS = 64;

  /** Automata whose sets of tokens are kept. */
  private static final int MOST_AUTOMATA = 64;

  /** Says to {@link SampledTokens} that a row has no token. */
  private static final int NO_TOKEN = -1;

  private final HostMemory memory = new HostMemory();
  private final Workers workers;
  private final RowPlacement placement;
  private final CacheElements cacheElements;

  /** The automata that were asked for last, the longest ago first. */
  private final Map<ByteAutomaton, AllowedTokens> allowed = new LinkedHashMap<>(16, 0.75f, true);

  /** Of the last step. */
  private CpuPlan.Sampled sampled = CpuPlan.Sampled.NOTHING;

  /**
   * Starts the threads.
   *
   * @param threads how many threads compute, the calling one among them, ≥ 1
   */
  public CpuBackend(int threads) {
    this(threads, CacheElements.BFLOAT16);
  }

  /**
   * Starts the threads of a backend whose cache holds other elements than bf16.
   *
   * @param threads how many threads compute, the calling one among them, ≥ 1
   */
  public CpuBackend(int threads, CacheElements cacheElements) {
    if (threads < 1) {
      throw new IllegalArgumentException("the CPU backend needs ≥ 1 threads, not " + threads);
    }
    this.cacheElements = cacheElements;
    Gemm.useCallingThread();
    placement = Gemm.placement();
    workers = new Workers(threads, memory);
  }

  @Override
  public String name() {
    return "cpu";
  }

  /** Number of buffers outside the heap in use, the threads' own among them, for tests. */
  int liveBuffers() {
    return memory.live();
  }

  @Override
  public boolean runsAhead() {
    return false;
  }

  /** Every size is computed. */
  @Override
  public void requireSupported(AttentionShape shape) {
    // Loops and GEMMs take any size.
  }

  @Override
  public OptionalLong freeMemory() {
    return OptionalLong.empty();
  }

  /** A step takes the host's memory when it needs some. */
  @Override
  public void reserve(StepLimits limits, Forward forward) {
    // There is no memory that somebody else would be given.
  }

  @Override
  public Weight uploadLinear(List<MatrixSource> parts) {
    return new CpuWeight(memory, parts);
  }

  @Override
  public Weight uploadMatrix(MatrixSource source) {
    return new CpuWeight(memory, List.of(source));
  }

  @Override
  public WeightVector uploadVector(List<Tensor> parts) {
    return new CpuVector(parts);
  }

  @Override
  public ExpertWeights uploadExperts(List<GatedSource> experts) {
    return new CpuExperts(memory, experts);
  }

  /** There is always room; the sets of the automata that were asked for last are kept. */
  @Override
  public Optional<ConstraintTable> constrain(Constraint constraint) {
    AllowedTokens known = allowed.get(constraint.automaton());
    if (known == null || !known.constraint().equals(constraint)) {
      known = new AllowedTokens(constraint);
      allowed.put(constraint.automaton(), known);
      if (allowed.size() > MOST_AUTOMATA) {
        allowed.remove(allowed.keySet().iterator().next());
      }
    }
    return Optional.of(known);
  }

  @Override
  public Activation allocate(int rows, int columns, Set<Precision> precisions) {
    return new CpuActivation(memory, rows, columns);
  }

  @Override
  public LatentCache allocateCache(CacheShape shape, int layers, int blocks) {
    return new CpuCache(memory, shape, cacheElements, layers, blocks);
  }

  @Override
  public Rotation rotation(
      double[] inverseFrequencies, double factor, boolean interleaved, int positions) {
    return new CpuRotation(inverseFrequencies, factor, interleaved);
  }

  @Override
  public StepPlan plan(List<Segment> segments) {
    return new CpuPlan(segments, sampled, placement);
  }

  @Override
  public void run(StepPlan plan, Forward forward) {
    forward.compute(plan);
    sampled = CpuPlan.of(plan).sampled();
  }

  @Override
  public SampledTokens tokens(StepPlan plan) {
    return CpuPlan.of(plan).sampled().tokens();
  }

  private interface RowTask {
    void run(int row, Scratch scratch);
  }

  private void forRows(int rows, RowTask task) {
    workers.run(
        (rows + TASK_ROWS - 1) / TASK_ROWS,
        (index, scratch) -> {
          int end = Math.min(rows, (index + 1) * TASK_ROWS);
          for (int row = index * TASK_ROWS; row < end; row++) {
            task.run(row, scratch);
          }
        });
  }

  private interface TokenTask {
    void run(int row, CpuPlan.Row token, Scratch scratch);
  }

  /**
   * Goes over {@code rows} rows of a plan from {@code firstRow} on, as far as they hold a token.
   */
  private void forTokens(CpuPlan plan, int firstRow, int rows, TokenTask task) {
    forRows(
        rows,
        (index, scratch) ->
            plan.row(firstRow + index)
                .ifPresent(token -> task.run(firstRow + index, token, scratch)));
  }

  @Override
  public void embed(Weight table, float scale, StepPlan plan, Activation out) {
    CpuWeight rows = CpuWeight.of(table);
    CpuPlan tokens = CpuPlan.of(plan);
    CpuActivation result = CpuActivation.of(out);
    int columns = out.columns();
    forRows(
        plan.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, columns);
          tokens
              .row(row)
              .ifPresentOrElse(
                  token -> {
                    rows.readRow(token.token(), values);
                    Vectors.scale(values, 0, columns, scale);
                  },
                  () -> Arrays.fill(values, 0, columns, 0f));
          result.writeRow(row, values, 0);
        });
  }

  @Override
  public void writeTokens(StepPlan plan, LatentCache cache) {
    CpuCache target = CpuCache.of(cache);
    forTokens(
        CpuPlan.of(plan),
        0,
        plan.rows(),
        (row, token, scratch) ->
            target.writeToken(token.segment(), token.position(), token.token()));
  }

  @Override
  public void normalize(Activation in, WeightVector gain, float epsilon, Activation out) {
    CpuActivation source = CpuActivation.of(in);
    CpuActivation result = CpuActivation.of(out);
    float[] gains = CpuVector.of(gain);
    forRows(
        in.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, gains.length);
          source.readRow(row, values, 0);
          Vectors.normalize(values, gains, epsilon);
          result.writeRow(row, values, 0);
        });
  }

  @Override
  public void linear(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    multiply(in, weight, bias, out, false);
  }

  @Override
  public void linearAdd(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    multiply(in, weight, bias, out, true);
  }

  private void multiply(
      Activation in, Weight weight, Optional<WeightVector> bias, Activation out, boolean add) {
    CpuWeight parameters = CpuWeight.of(weight);
    int rows = Gemm.wholeSteps(in.rows());
    int width = Gemm.panelRows(parameters.rows(), parameters.columns());
    int panels = (parameters.rows() + width - 1) / width;
    int height = Gemm.taskRows(rows, panels, workers.count());
    int tiles = (rows + height - 1) / height;
    Gemm.View left = Gemm.View.of(CpuActivation.of(in));
    Gemm.View result = Gemm.View.of(CpuActivation.of(out));
    workers.run(
        panels * tiles,
        (index, scratch) -> {
          int column = index % panels * width;
          int row = index / panels * height;
          Gemm.independent(
              Math.min(height, rows - row),
              left.from(row, 0),
              parameters,
              column,
              Math.min(width, parameters.rows() - column),
              result.from(row, column),
              add,
              scratch);
        });
    bias.ifPresent(values -> addToRows(CpuActivation.of(out), CpuVector.of(values)));
  }

  private void addToRows(CpuActivation out, float[] bias) {
    forRows(
        out.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, bias.length);
          out.readRow(row, values, 0);
          for (int i = 0; i < bias.length; i++) {
            values[i] += bias[i];
          }
          out.writeRow(row, values, 0);
        });
  }

  @Override
  public void gatedActivation(Activation gateUp, Activation out) {
    CpuActivation result = CpuActivation.of(out);
    CpuActivation ups = CpuActivation.of(gateUp.columns(out.columns(), out.columns()));
    CpuActivation gates = CpuActivation.of(gateUp.columns(0, out.columns()));
    int columns = out.columns();
    forRows(
        gateUp.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.GATE, columns);
          float[] factors = scratch.array(Scratch.Use.UP, columns);
          gates.readRow(row, values, 0);
          ups.readRow(row, factors, 0);
          Vectors.gate(values, factors, columns, scratch);
          result.writeRow(row, values, 0);
        });
  }

  /** Turns the last elements of every head of some rows, and grows all, by their positions. */
  private void turn(
      CpuActivation queries,
      int head,
      int firstRow,
      int rows,
      LatentAttention attention,
      CpuPlan plan) {
    CpuRotation turns = CpuRotation.of(attention.rotation());
    Optional<QueryGrowth> growth = attention.shape().growth();
    forTokens(
        plan,
        firstRow,
        rows,
        (row, token, scratch) -> {
          float[] angles = scratch.array(Scratch.Use.SCORES, turns.size());
          turns.angles(token.position(), angles);
          float[] part = scratch.array(Scratch.Use.ROWS, queries.columns());
          queries.readRow(row, part, 0);
          for (int end = head; end <= queries.columns(); end += head) {
            turns.turn(part, end - turns.size(), angles);
          }
          growth.ifPresent(
              grown -> Vectors.scale(part, 0, queries.columns(), grown.at(token.position())));
          queries.writeRow(row, part, 0);
        });
  }

  @Override
  public void writeCache(
      Activation latents, LatentAttention attention, StepPlan plan, LatentCache cache) {
    CpuActivation source = CpuActivation.of(latents);
    CpuRotation turns = CpuRotation.of(attention.rotation());
    CachedTokens target = CpuCache.of(cache).layer(attention.layer());
    CacheShape shape = cache.shape();
    float[] gains = CpuVector.of(attention.latentGain());
    forTokens(
        CpuPlan.of(plan),
        0,
        plan.rows(),
        (row, token, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, shape.width());
          float[] angles = scratch.array(Scratch.Use.SCORES, shape.rope());
          source.readRow(row, values, 0);
          Vectors.normalize(values, gains, attention.latentEpsilon());
          turns.angles(token.position(), angles);
          turns.turn(values, shape.latent(), angles);
          target.store(token.segment(), token.position(), values);
        });
  }

  @Override
  public void writeCacheAndAbsorb(
      Activation latents,
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    writeCache(latents, attention, plan, cache);
    absorb(queries, attention, plan, out);
  }

  private void absorb(
      Activation queries, LatentAttention attention, StepPlan plan, Activation out) {
    AttentionShape shape = attention.shape();
    CpuWeight parameters = CpuWeight.of(attention.keyValue());
    Gemm.View from = Gemm.View.of(CpuActivation.of(queries));
    Gemm.View to = Gemm.View.of(CpuActivation.of(out));
    CacheShape cache = shape.cache();
    int rows = plan.decodeRows();
    workers.run(
        rows == 0 ? 0 : shape.heads(),
        (head, scratch) -> {
          int query = head * shape.queryHead();
          Gemm.independent(
              rows,
              cache.latent(),
              shape.nope(),
              from.from(0, query),
              parameters.panel(head * shape.keyValueHead(), shape.nope(), scratch),
              cache.latent(),
              false,
              to.from(0, head * cache.width()),
              false,
              scratch);
          Gemm.copy(
              from.from(0, query + shape.nope()),
              to.from(0, head * cache.width() + cache.latent()),
              rows,
              cache.rope());
        });
    turn(CpuActivation.of(out), cache.width(), 0, rows, attention, CpuPlan.of(plan));
  }

  @Override
  public void decodeAttention(
      Activation absorbed,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    new DecodeAttention(
            CpuActivation.of(absorbed),
            attention.shape(),
            CpuPlan.of(plan),
            CpuCache.of(cache).layer(attention.layer()),
            CpuActivation.of(out))
        .run(workers, memory);
  }

  @Override
  public void projectValues(
      Activation latents, LatentAttention attention, StepPlan plan, Activation out) {
    AttentionShape shape = attention.shape();
    CpuWeight parameters = CpuWeight.of(attention.keyValue());
    Gemm.View from = Gemm.View.of(CpuActivation.of(latents));
    Gemm.View to = Gemm.View.of(CpuActivation.of(out));
    int rows = plan.decodeRows();
    workers.run(
        rows == 0 ? 0 : shape.heads(),
        (head, scratch) ->
            Gemm.independent(
                rows,
                from.from(0, head * shape.cache().latent()),
                parameters,
                head * shape.keyValueHead() + shape.nope(),
                shape.value(),
                to.from(0, head * shape.value()),
                false,
                scratch));
  }

  @Override
  public void prefillAttention(
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    CpuPlan step = CpuPlan.of(plan);
    turn(
        CpuActivation.of(queries),
        attention.shape().queryHead(),
        plan.decodeRows(),
        plan.rows() - plan.decodeRows(),
        attention,
        step);
    for (int i = 0; i < step.segments().size(); i++) {
      Segment segment = step.segments().get(i);
      if (segment.role() == Segment.Role.PREFILL) {
        new PrefillAttention(
                CpuActivation.of(queries),
                attention,
                segment,
                step.firstRow(i),
                placement.before(segment.position()),
                CpuCache.of(cache),
                CpuActivation.of(out))
            .run(workers, memory);
      }
    }
  }

  @Override
  public Routing route(
      Activation in,
      Weight router,
      Optional<WeightVector> bias,
      RouterPolicy policy,
      ExpertWeights experts,
      StepPlan plan) {
    int[] chosen = new int[in.rows() * policy.perToken()];
    float[] weights = new float[chosen.length];
    try (Activation logits = allocate(in.rows(), router.rows(), Precision.FLOAT32)) {
      linear(in, router, Optional.empty(), logits);
      choose(logits, bias, policy, plan, chosen, weights);
    }
    return new CpuRouting(
        CpuActivation.of(in), CpuExperts.of(experts), policy.perToken(), chosen, weights);
  }

  private void choose(
      Activation logits,
      Optional<WeightVector> bias,
      RouterPolicy policy,
      StepPlan plan,
      int[] chosen,
      float[] weights) {
    CpuActivation source = CpuActivation.of(logits);
    int experts = logits.columns();
    float[] biases = bias.map(values -> CpuVector.of(values)).orElse(new float[experts]);
    Arrays.fill(chosen, CpuRouting.NONE);
    forTokens(
        CpuPlan.of(plan),
        0,
        plan.rows(),
        (row, token, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, experts);
          source.readRow(row, values, 0);
          new ExpertChoice(policy, values, biases, experts)
              .write(chosen, weights, row * policy.perToken());
        });
  }

  @Override
  public void experts(Routing routing, Activation out) {
    new ExpertGemms(CpuRouting.of(routing), placement, CpuActivation.of(out)).run(workers, memory);
  }

  @Override
  public void gatherSampled(Activation in, StepPlan plan, Activation out) {
    CpuActivation source = CpuActivation.of(in);
    CpuActivation result = CpuActivation.of(out);
    CpuPlan rows = CpuPlan.of(plan);
    float[] values = new float[in.columns()];
    for (int i = 0; i < rows.sampledRows(); i++) {
      if (rows.source(i) == RowPlacement.EMPTY) {
        Arrays.fill(values, 0f);
      } else {
        source.readRow(rows.source(i), values, 0);
      }
      result.writeRow(i, values, 0);
    }
  }

  @Override
  public void sample(Activation logits, StepPlan plan, LatentCache cache) {
    CpuActivation source = CpuActivation.of(logits);
    CpuPlan rows = CpuPlan.of(plan);
    int[] tokens = new int[rows.samples()];
    long[] positions = new long[tokens.length];
    List<Optional<Logprobs>> logprobs =
        new ArrayList<>(Collections.nCopies(tokens.length, Optional.empty()));
    workers.run(
        tokens.length,
        (sample, scratch) -> {
          float[] values = new float[logits.columns()];
          source.readRow(rows.sampledRow(sample), values, 0);
          Sampling sampling = rows.sampling(sample);
          float[] unprocessed = sampling.logprobs().isPresent() ? values.clone() : values;
          Optional<AllowedTokens> constraint = rows.allowed(sample);
          if (sampling.processesLogits() || constraint.isPresent()) {
            int[] history = rows.history(sample, CpuCache.of(cache));
            LogitsProcessor processor = new LogitsProcessor(values, sampling, history);
            processor.run();
            if (constraint.isPresent()) {
              positions[sample] = rows.position(sample);
              processor.constrain(constraint.get(), positions[sample]);
            }
          }
          tokens[sample] = TokenChoice.choose(values, sampling).orElse(NO_TOKEN);
          if (sampling.logprobs().isPresent() && tokens[sample] != NO_TOKEN) {
            int count = sampling.logprobs().getAsInt();
            logprobs.set(
                sample, Optional.of(new LogSoftmax(unprocessed).logprobs(tokens[sample], count)));
          }
        });
    rows.keep(new CpuPlan.Sampled(SampledTokens.of(tokens, logprobs), positions));
  }

  @Override
  public float[][] read(Activation activation) {
    CpuActivation source = CpuActivation.of(activation);
    float[][] rows = new float[activation.rows()][activation.columns()];
    for (int i = 0; i < rows.length; i++) {
      source.readRow(i, rows[i], 0);
    }
    return rows;
  }

  /**
   * Ends the threads.
   *
   * @throws IllegalStateException when something it handed out is not closed; that stays usable for
   *     nothing but closing
   */
  @Override
  public void close() {
    workers.close();
    memory.close();
    if (memory.live() != 0) {
      throw new IllegalStateException(
          memory.live() + " buffers of the CPU backend are not closed; close the model first");
    }
  }
}
