package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ConstraintTable;
import dev.sparkmla.compute.ExpertWeights;
import dev.sparkmla.compute.Forward;
import dev.sparkmla.compute.GatedSource;
import dev.sparkmla.compute.LatentAttention;
import dev.sparkmla.compute.LatentCache;
import dev.sparkmla.compute.MatrixSource;
import dev.sparkmla.compute.Precision;
import dev.sparkmla.compute.Rotation;
import dev.sparkmla.compute.Routing;
import dev.sparkmla.compute.SampledTokens;
import dev.sparkmla.compute.Segment;
import dev.sparkmla.compute.StepLimits;
import dev.sparkmla.compute.StepPlan;
import dev.sparkmla.compute.Tensor;
import dev.sparkmla.compute.Weight;
import dev.sparkmla.compute.WeightFormat;
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.FakeMemory;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.RouterPolicy;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/** Takes the arena's memory as the CUDA backend does, and computes nothing. */
final class DryBackend implements ComputeBackend {
  final FakeMemory memory = new FakeMemory();
  final Arena arena = new Arena(memory::device);

  private record DryPlan(PlanLayout layout) implements StepPlan {
    static PlanLayout layout(StepPlan plan) {
      return ((DryPlan) plan).layout;
    }

    @Override
    public int rows() {
      return layout.shape().rows();
    }

    @Override
    public int decodeRows() {
      return layout.decodeRows();
    }

    @Override
    public int sampledRow(int sample) {
      return sample;
    }

    @Override
    public int sampledRows() {
      return layout.shape().sampledRows();
    }

    @Override
    public void close() {
      // It holds nothing.
    }
  }

  private record DryWeight(int rows, int columns, WeightFormat format) implements Weight {
    @Override
    public List<RowRange> ranges() {
      return List.of(new RowRange(0, rows, format));
    }

    @Override
    public Set<Precision> inputs() {
      return Set.of(
          switch (format) {
            case FLOAT32, BFLOAT16 -> Precision.BFLOAT16;
            case FLOAT8_BLOCKS, FLOAT8_ROWS -> Precision.FLOAT8;
          });
    }

    @Override
    public void close() {
      // It holds nothing.
    }
  }

  private record DryVector(int size) implements WeightVector {
    @Override
    public void close() {
      // It holds nothing.
    }
  }

  private record DryExperts(int experts, int hidden, int width) implements ExpertWeights {
    @Override
    public void close() {
      // It holds nothing.
    }
  }

  @Override
  public String name() {
    return "dry";
  }

  @Override
  public boolean runsAhead() {
    return false;
  }

  @Override
  public void requireSupported(AttentionShape shape) {
    // Nothing is computed.
  }

  @Override
  public OptionalLong freeMemory() {
    return OptionalLong.of(1L << 40);
  }

  @Override
  public void reserve(StepLimits limits, Forward forward) {
    for (List<Segment> step : new MeasuredSteps(limits).largest()) {
      forward.compute(plan(step));
    }
    arena.settle();
  }

  @Override
  public Weight uploadLinear(List<MatrixSource> parts) {
    return new DryWeight(
        MatrixSource.stackedRows(parts), parts.get(0).columns(), parts.get(0).format());
  }

  @Override
  public WeightVector uploadVector(List<Tensor> parts) {
    return new DryVector(Tensor.joinedSize(parts));
  }

  @Override
  public Weight uploadMatrix(MatrixSource source) {
    return new DryWeight(source.rows(), source.columns(), WeightFormat.BFLOAT16);
  }

  @Override
  public ExpertWeights uploadExperts(List<GatedSource> experts) {
    GatedSource first = experts.get(0);
    return new DryExperts(experts.size(), first.hidden(), first.width());
  }

  @Override
  public Optional<ConstraintTable> constrain(Constraint constraint) {
    throw new UnsupportedOperationException("nothing is computed");
  }

  @Override
  public Activation allocate(int rows, int columns, Set<Precision> precisions) {
    return new CudaActivation(arena, rows, columns, precisions);
  }

  @Override
  public LatentCache allocateCache(CacheShape shape, int layers, int blocks) {
    return new CudaCache(
        memory.device(CudaCache.bytes(shape, layers, blocks)), shape, layers, blocks);
  }

  @Override
  public Rotation rotation(
      double[] inverseFrequencies, double factor, boolean interleaved, int positions) {
    return () -> {};
  }

  @Override
  public StepPlan plan(List<Segment> segments) {
    return new DryPlan(new PlanLayout(segments));
  }

  @Override
  public void run(StepPlan plan, Forward forward) {
    forward.compute(plan);
  }

  @Override
  public SampledTokens tokens(StepPlan plan) {
    return SampledTokens.of(new int[DryPlan.layout(plan).samples()]);
  }

  @Override
  public void embed(Weight table, float scale, StepPlan plan, Activation out) {
    // It takes no memory.
  }

  @Override
  public void writeTokens(StepPlan plan, LatentCache cache) {
    // It takes no memory.
  }

  @Override
  public void normalize(Activation in, WeightVector gain, float epsilon, Activation out) {
    // It takes no memory.
  }

  @Override
  public void linear(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    switch (((DryWeight) weight).format()) {
      case FLOAT32, BFLOAT16 -> {
        // It takes no memory.
      }
      case FLOAT8_BLOCKS, FLOAT8_ROWS -> {
        if (CudaActivation.of(in).float8().isEmpty()) {
          QuantizedInput.take(arena, in.rows(), in.columns()).close();
        }
      }
    }
  }

  @Override
  public void linearAdd(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    linear(in, weight, bias, out);
  }

  @Override
  public void gatedActivation(Activation gateUp, Activation out) {
    // It takes no memory.
  }

  @Override
  public void writeCache(
      Activation latents, LatentAttention attention, StepPlan plan, LatentCache cache) {
    // It takes no memory.
  }

  @Override
  public void writeCacheAndAbsorb(
      Activation latents,
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    // It takes no memory.
  }

  @Override
  public void decodeAttention(
      Activation absorbed,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    CudaAttention.decodeLogSumExp(arena, attention.shape(), DryPlan.layout(plan)).close();
  }

  @Override
  public void projectValues(
      Activation latents, LatentAttention attention, StepPlan plan, Activation out) {
    // It takes no memory.
  }

  @Override
  public void prefillAttention(
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    PlanLayout layout = DryPlan.layout(plan);
    new PrefillBuffers(arena, attention.shape(), layout.prefillRows(), layout.mostKeys()).close();
  }

  @Override
  public Routing route(
      Activation in,
      Weight router,
      Optional<WeightVector> bias,
      RouterPolicy policy,
      ExpertWeights experts,
      StepPlan plan) {
    // As the native library says, about so much.
    DryExperts sizes = (DryExperts) experts;
    long choices = (long) in.rows() * policy.perToken();
    long workspace = 2 * choices * (sizes.hidden() + sizes.width()) + 4096;
    return new CudaRouting(arena, in.rows(), experts, policy.perToken(), workspace);
  }

  @Override
  public void experts(Routing routing, Activation out) {
    // It takes no memory.
  }

  @Override
  public void gatherSampled(Activation in, StepPlan plan, Activation out) {
    // It takes no memory.
  }

  @Override
  public void sample(Activation logits, StepPlan plan, LatentCache cache) {
    if (DryPlan.layout(plan).shape().processesLogits()) {
      new ProcessingWorkspace(arena, logits.rows(), logits.columns()).close();
    }
  }

  @Override
  public float[][] read(Activation activation) {
    throw new UnsupportedOperationException("nothing is computed");
  }

  @Override
  public void close() {
    arena.close();
  }
}
