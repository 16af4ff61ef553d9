package dev.sparkmla.compute.cpu;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ExpertSource;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightSource;
import dev.sparkmla.policy.RouterPolicy;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;

/**
 * Computes on the processor: float32, over bf16 weights and cache. Operations share their work
 * among a fixed number of threads; OpenBLAS runs in each of them alone.
 */
public final class CpuBackend implements ComputeBackend {
  /** Rows of a task of an operation that goes row by row. */
  private static final int TASK_ROWS = 64;

  private final HostMemory memory = new HostMemory();
  private final Workers workers;

  /** The tokens of the last step. */
  private int[] sampled = new int[0];

  /**
   * Starts the threads.
   *
   * @param threads how many threads compute, the calling one among them, ≥ 1
   */
  public CpuBackend(int threads) {
    if (threads < 1) {
      throw new IllegalArgumentException("the CPU backend needs ≥ 1 threads, not " + threads);
    }
    Products.useCallingThread();
    workers = new Workers(threads, memory);
  }

  @Override
  public String name() {
    return "cpu";
  }

  /** Number of buffers outside the heap that are in use, the threads' own among them. */
  int liveBuffers() {
    return memory.live();
  }

  @Override
  public boolean runsAhead() {
    return false;
  }

  @Override
  public OptionalLong freeMemory() {
    return OptionalLong.empty();
  }

  @Override
  public Weight upload(int rows, int columns, List<WeightSource> parts) {
    return new CpuWeight(memory, rows, columns, parts);
  }

  @Override
  public ExpertWeights uploadExperts(int hidden, int width, List<ExpertSource> experts) {
    return new CpuExperts(memory, hidden, width, experts);
  }

  @Override
  public Activation allocate(int rows, int columns, Precision precision) {
    return new CpuActivation(memory, rows, columns, precision);
  }

  @Override
  public LatentCache allocateCache(int layers, int blocks) {
    return new CpuCache(memory, layers, blocks);
  }

  @Override
  public Rotation rotation(
      double[] inverseFrequencies, double factor, boolean interleaved, int positions) {
    return new CpuRotation(inverseFrequencies, factor, interleaved);
  }

  @Override
  public StepPlan plan(List<Segment> decoding, List<Segment> prefilling) {
    return new CpuPlan(decoding, prefilling);
  }

  @Override
  public void run(StepPlan plan, Forward forward) {
    forward.compute(plan);
    sampled = CpuPlan.of(plan).chosen();
  }

  @Override
  public int[] tokens(StepPlan plan) {
    return CpuPlan.of(plan).chosen();
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

  @Override
  public void embed(Weight table, StepPlan plan, Activation out) {
    CpuWeight rows = CpuWeight.of(table);
    CpuPlan tokens = CpuPlan.of(plan);
    CpuActivation result = CpuActivation.of(out);
    int columns = out.columns();
    forRows(
        plan.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, columns);
          int token = tokens.token(row);
          rows.readRow(token < 0 ? sampled[~token] : token, values);
          result.writeRow(row, values, 0);
        });
  }

  @Override
  public void normalize(Activation in, Weight gain, float epsilon, Activation out) {
    CpuActivation source = CpuActivation.of(in);
    CpuActivation result = CpuActivation.of(out);
    float[] gains = CpuWeight.of(gain).vector();
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
  public void linear(Activation in, Weight weight, Optional<Weight> bias, Activation out) {
    product(in, weight, bias, out, false);
  }

  @Override
  public void linearAdd(Activation in, Weight weight, Optional<Weight> bias, Activation out) {
    product(in, weight, bias, out, true);
  }

  private void product(
      Activation in, Weight weight, Optional<Weight> bias, Activation out, boolean add) {
    CpuWeight parameters = CpuWeight.of(weight);
    int rows = Products.wholeSteps(in.rows());
    int width = Products.panelRows(parameters.rows(), parameters.columns());
    int panels = (parameters.rows() + width - 1) / width;
    int height = Products.taskRows(rows, panels, workers.count());
    int tiles = (rows + height - 1) / height;
    Products.View left = Products.View.of(CpuActivation.of(in));
    Products.View result = Products.View.of(CpuActivation.of(out));
    workers.run(
        panels * tiles,
        (index, scratch) -> {
          int column = index % panels * width;
          int row = index / panels * height;
          Products.independent(
              Math.min(height, rows - row),
              left.from(row, 0),
              parameters,
              column,
              Math.min(width, parameters.rows() - column),
              result.from(row, column),
              add,
              scratch);
        });
    bias.ifPresent(values -> addToRows(CpuActivation.of(out), CpuWeight.of(values).vector()));
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

  /** Turns the last 64 elements of every head of some rows by their positions. */
  private void turn(
      CpuActivation queries, int head, int firstRow, int rows, CpuRotation turns, CpuPlan plan) {
    forRows(
        rows,
        (index, scratch) -> {
          int row = firstRow + index;
          float[] angles = scratch.array(Scratch.Use.SCORES, LatentCache.ROPE);
          turns.angles(plan.position(row), angles);
          float[] part = scratch.array(Scratch.Use.ROWS, queries.columns());
          queries.readRow(row, part, 0);
          for (int end = head; end <= queries.columns(); end += head) {
            turns.turn(part, end - LatentCache.ROPE, angles);
          }
          queries.writeRow(row, part, 0);
        });
  }

  @Override
  public void writeCache(
      Activation latents,
      Weight gain,
      float epsilon,
      Rotation rotation,
      StepPlan plan,
      LatentCache cache,
      int layer) {
    CpuActivation source = CpuActivation.of(latents);
    CpuRotation turns = CpuRotation.of(rotation);
    CpuPlan tokens = CpuPlan.of(plan);
    CpuCache target = CpuCache.of(cache);
    float[] gains = CpuWeight.of(gain).vector();
    forRows(
        plan.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, LatentCache.WIDTH);
          float[] angles = scratch.array(Scratch.Use.SCORES, LatentCache.ROPE);
          source.readRow(row, values, 0);
          Vectors.normalize(values, gains, epsilon);
          turns.angles(tokens.position(row), angles);
          turns.turn(values, LatentCache.LATENT, angles);
          int slot = tokens.slot(row) * LatentCache.WIDTH;
          for (int i = 0; i < LatentCache.WIDTH; i++) {
            target.layer(layer).shorts().put(slot + i, BFloat16.round(values[i]));
          }
        });
  }

  @Override
  public void absorbQueries(
      Activation queries,
      Weight keyValue,
      int heads,
      int nope,
      Rotation rotation,
      StepPlan plan,
      Activation out) {
    CpuWeight parameters = CpuWeight.of(keyValue);
    Products.View from = Products.View.of(CpuActivation.of(queries));
    Products.View to = Products.View.of(CpuActivation.of(out));
    int rows = plan.decodeRows();
    workers.run(
        rows == 0 ? 0 : heads,
        (head, scratch) -> {
          int query = head * (nope + LatentCache.ROPE);
          Products.independent(
              rows,
              LatentCache.LATENT,
              nope,
              from.from(0, query),
              parameters.panel(head * (parameters.rows() / heads), nope, scratch),
              LatentCache.LATENT,
              false,
              to.from(0, head * LatentCache.WIDTH),
              false,
              scratch);
          Products.copy(
              from.from(0, query + nope),
              to.from(0, head * LatentCache.WIDTH + LatentCache.LATENT),
              rows,
              LatentCache.ROPE);
        });
    turn(
        CpuActivation.of(out),
        LatentCache.WIDTH,
        0,
        rows,
        CpuRotation.of(rotation),
        CpuPlan.of(plan));
  }

  @Override
  public void decodeAttention(
      Activation absorbed,
      int heads,
      float scale,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out) {
    new DecodeAttention(
            CpuActivation.of(absorbed),
            heads,
            scale,
            CpuPlan.of(plan),
            CpuCache.of(cache).layer(layer),
            CpuActivation.of(out))
        .run(workers, memory);
  }

  @Override
  public void projectValues(
      Activation latents, Weight keyValue, int heads, int nope, StepPlan plan, Activation out) {
    CpuWeight parameters = CpuWeight.of(keyValue);
    Products.View from = Products.View.of(CpuActivation.of(latents));
    Products.View to = Products.View.of(CpuActivation.of(out));
    int rows = plan.decodeRows();
    int head = parameters.rows() / heads;
    int value = head - nope;
    workers.run(
        rows == 0 ? 0 : heads,
        (index, scratch) ->
            Products.independent(
                rows,
                from.from(0, index * LatentCache.LATENT),
                parameters,
                index * head + nope,
                value,
                to.from(0, index * value),
                false,
                scratch));
  }

  @Override
  public void prefillAttention(
      Activation queries,
      Weight keyValue,
      int heads,
      int nope,
      float scale,
      Rotation rotation,
      StepPlan plan,
      LatentCache cache,
      int layer,
      Activation out) {
    int row = plan.decodeRows();
    turn(
        CpuActivation.of(queries),
        nope + LatentCache.ROPE,
        row,
        plan.rows() - row,
        CpuRotation.of(rotation),
        CpuPlan.of(plan));
    for (Segment segment : CpuPlan.of(plan).prefilling()) {
      new PrefillAttention(
              CpuActivation.of(queries),
              CpuWeight.of(keyValue),
              heads,
              nope,
              scale,
              segment,
              row,
              CpuCache.of(cache).layer(layer),
              CpuActivation.of(out))
          .run(workers, memory);
      row += segment.tokens().length;
    }
  }

  @Override
  public Routing route(
      Activation logits, Optional<Weight> bias, RouterPolicy policy, StepPlan plan) {
    CpuActivation source = CpuActivation.of(logits);
    int experts = logits.columns();
    float[] biases = bias.map(values -> CpuWeight.of(values).vector()).orElse(new float[experts]);
    int[] chosen = new int[logits.rows() * policy.perToken()];
    float[] weights = new float[chosen.length];
    forRows(
        logits.rows(),
        (row, scratch) -> {
          float[] values = scratch.array(Scratch.Use.ROWS, experts);
          source.readRow(row, values, 0);
          new ExpertChoice(policy, values, biases, experts)
              .write(chosen, weights, row * policy.perToken());
        });
    return new CpuRouting(policy.perToken(), chosen, weights);
  }

  @Override
  public void experts(Activation in, Routing routing, ExpertWeights experts, Activation out) {
    new ExpertProducts(
            CpuActivation.of(in),
            CpuRouting.of(routing),
            CpuExperts.of(experts),
            CpuActivation.of(out))
        .run(workers, memory);
  }

  @Override
  public void gatherSampled(Activation in, StepPlan plan, Activation out) {
    CpuActivation source = CpuActivation.of(in);
    CpuActivation result = CpuActivation.of(out);
    CpuPlan rows = CpuPlan.of(plan);
    float[] values = new float[in.columns()];
    for (int i = 0; i < rows.sampledRows(); i++) {
      source.readRow(rows.sampledRow(i), values, 0);
      result.writeRow(i, values, 0);
    }
  }

  @Override
  public void sample(Activation logits, StepPlan plan) {
    CpuActivation source = CpuActivation.of(logits);
    CpuPlan rows = CpuPlan.of(plan);
    int[] tokens = new int[rows.sampledRows()];
    workers.run(
        tokens.length,
        (row, scratch) -> {
          float[] values = new float[logits.columns()];
          source.readRow(row, values, 0);
          tokens[row] = TokenChoice.choose(values, rows.sampling(row));
        });
    rows.choose(tokens);
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
