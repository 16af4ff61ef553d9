package dev.sparkmla.compute.cuda;

import dev.sparkmla.compute.Activation;
import dev.sparkmla.compute.AttentionShape;
import dev.sparkmla.compute.ComputeBackend;
import dev.sparkmla.compute.ComputeException;
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
import dev.sparkmla.compute.WeightVector;
import dev.sparkmla.cuda.ConstraintMemory;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.ExpertsShape;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.cuda.RotaryEmbedding;
import dev.sparkmla.cuda.RowNorm;
import dev.sparkmla.cuda.SortedRows;
import dev.sparkmla.kvcache.CacheShape;
import dev.sparkmla.policy.Constraint;
import dev.sparkmla.policy.RouterPolicy;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/**
 * Computes on one Hopper GPU. Weights are bf16 or 8 bits with scales (vectors float32), GEMMs take
 * bf16, or 8 bits that it is quantized to, and add in float32, the residual stream, router logits
 * and logits are float32. Everything is enqueued on one stream; a step that only decodes is padded
 * to the next bucket and, from its second time on, replayed as one graph.
 *
 * <p>Any number of instances may be open in a process, one or more for each device. What belongs to
 * the device is owned by {@link CudaDevice}; here are the operations over it.
 */
public final class CudaBackend implements ComputeBackend {
  private final CudaDevice device;
  private final WeightUpload upload;

  /**
   * Opens a device.
   *
   * @throws dev.sparkmla.cuda.CudaUnavailableException where the device is not a Hopper GPU, or a
   *     library is missing
   * @throws ComputeException when it has no memory for the little that is needed
   */
  public CudaBackend(GpuDevice device) {
    this.device = new CudaDevice(device);
    this.upload = new WeightUpload(this.device);
  }

  @Override
  public String name() {
    return "cuda";
  }

  @Override
  public boolean runsAhead() {
    return true;
  }

  /** The device, for tests. */
  CudaDevice device() {
    return device;
  }

  @Override
  public void requireSupported(AttentionShape shape) {
    device.attention.requireSupported(shape);
  }

  @Override
  public OptionalLong freeMemory() {
    return OptionalLong.of(device.freeMemory());
  }

  @Override
  public void reserve(StepLimits limits, Forward forward) {
    device.reserve(limits, forward);
  }

  @Override
  public Weight uploadLinear(List<MatrixSource> parts) {
    return upload.linear(parts);
  }

  @Override
  public Weight uploadMatrix(MatrixSource source) {
    return upload.matrix(source);
  }

  @Override
  public WeightVector uploadVector(List<Tensor> parts) {
    return upload.vector(parts);
  }

  @Override
  public ExpertWeights uploadExperts(List<GatedSource> experts) {
    return upload.experts(experts);
  }

  @Override
  public Optional<ConstraintTable> constrain(Constraint constraint) {
    return device.guarded(
        "copying an automaton", () -> device.automata.take(constraint).map(table -> table));
  }

  @Override
  public Activation allocate(int rowCount, int columns, Set<Precision> precisions) {
    return device.guarded(
        "allocating activations",
        () -> new CudaActivation(device.arena, rowCount, columns, precisions));
  }

  @Override
  public LatentCache allocateCache(CacheShape shape, int layers, int blocks) {
    return new CudaCache(
        device.allocate("a cache of " + blocks + " blocks", CudaCache.bytes(shape, layers, blocks)),
        shape,
        layers,
        blocks);
  }

  @Override
  public Rotation rotation(
      double[] inverseFrequencies, double factor, boolean interleaved, int positions) {
    return device.guarded(
        "computing angles",
        () ->
            new CudaRotation(
                RotaryEmbedding.of(
                    device.context,
                    inverseFrequencies,
                    factor,
                    interleaved,
                    positions,
                    device.stream)));
  }

  @Override
  public StepPlan plan(List<Segment> segments) {
    return device.plan(segments);
  }

  @Override
  public void run(StepPlan plan, Forward forward) {
    device.run(plan, forward);
  }

  @Override
  public SampledTokens tokens(StepPlan plan) {
    return device.guarded("computing a step", () -> CudaPlan.of(plan).await());
  }

  @Override
  public void embed(Weight table, float scale, StepPlan plan, Activation out) {
    CudaPlan step = device.on(plan);
    device.rows.embed(
        CudaWeight.of(table).matrix(),
        scale,
        step.tokens(),
        device.plans.tokens(),
        CudaActivation.of(out).tensor(),
        device.stream);
  }

  @Override
  public void writeTokens(StepPlan plan, LatentCache cache) {
    CudaPlan step = device.on(plan);
    device.rows.writeTokens(
        step.tokens(),
        device.plans.tokens(),
        step.slots(),
        CudaCache.of(cache).tokens(),
        device.stream);
  }

  @Override
  public void normalize(Activation in, WeightVector gain, float epsilon, Activation out) {
    device.rows.normalize(
        CudaActivation.of(in).tensor(),
        CudaVector.of(gain),
        epsilon,
        CudaActivation.of(out).gemmRows(),
        device.stream);
  }

  @Override
  public void linear(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    multiply(in, weight, false, out);
    addBias(bias, out);
  }

  @Override
  public void linearAdd(Activation in, Weight weight, Optional<WeightVector> bias, Activation out) {
    multiply(in, weight, true, out);
    addBias(bias, out);
  }

  /** The GEMMs of a weight's ranges; the input is quantized once for all that take it so. */
  private void multiply(Activation in, Weight weight, boolean add, Activation out) {
    try (QuantizedInput input = new QuantizedInput(device, CudaActivation.of(in), device.stream)) {
      multiply(input, weight, add, out);
    }
  }

  /** The same on the stream of the input. */
  private void multiply(QuantizedInput input, Weight weight, boolean add, Activation out) {
    CudaStream stream = input.stream();
    for (CudaRows part : CudaWeight.of(weight).parts()) {
      CudaActivation result = outputs(part, out);
      switch (part.range().format()) {
        case FLOAT32, BFLOAT16 -> {
          DeviceTensor floats = input.floats();
          if (add) {
            device.gemm.multiplyAdd(floats, part.matrix(), result.tensor(), stream);
          } else {
            device.gemm.multiply(floats, part.matrix(), result.tensor(), stream);
          }
        }
        // Rows past the last are computed too: cuBLASLt takes a multiple of 4.
        case FLOAT8_BLOCKS, FLOAT8_ROWS -> {
          if (add) {
            device.float8Gemm.multiplyAdd(input.rows(), part.float8(), result.padded(), stream);
          } else {
            device.float8Gemm.multiply(input.rows(), part.float8(), result.padded(), stream);
          }
        }
      }
    }
  }

  /** The columns of a result that a weight's rows give. */
  private static CudaActivation outputs(CudaRows part, Activation out) {
    return CudaActivation.of(out.columns(part.range().first(), part.range().count()));
  }

  private void addBias(Optional<WeightVector> bias, Activation out) {
    bias.ifPresent(
        vector ->
            device.rows.addBias(
                CudaVector.of(vector), CudaActivation.of(out).tensor(), device.stream));
  }

  @Override
  public void gatedActivation(Activation gateUp, Activation out) {
    device.rows.gate(
        CudaActivation.of(gateUp).tensor(), CudaActivation.of(out).gemmRows(), device.stream);
  }

  @Override
  public void writeCache(
      Activation latents, LatentAttention attention, StepPlan plan, LatentCache cache) {
    CudaPlan step = device.on(plan);
    CudaRotation.of(attention.rotation())
        .writeCache(
            CudaActivation.of(latents).tensor(),
            CudaVector.of(attention.latentGain()),
            attention.latentEpsilon(),
            step.positions(0, step.rows()),
            step.slots(),
            CudaCache.of(cache).layer(attention.layer()),
            device.stream);
  }

  @Override
  public void writeCacheAndAbsorb(
      Activation latents,
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    device.attention.writeCacheAndAbsorb(
        CudaActivation.of(latents),
        CudaActivation.of(queries),
        attention,
        device.on(plan),
        CudaCache.of(cache),
        CudaActivation.of(out));
  }

  @Override
  public void decodeAttention(
      Activation absorbed,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    device.attention.decode(
        CudaActivation.of(absorbed),
        attention,
        device.on(plan),
        CudaCache.of(cache),
        CudaActivation.of(out));
  }

  @Override
  public void projectValues(
      Activation latents, LatentAttention attention, StepPlan plan, Activation out) {
    device.attention.project(
        CudaActivation.of(latents), attention, device.on(plan), CudaActivation.of(out));
  }

  @Override
  public void prefillAttention(
      Activation queries,
      LatentAttention attention,
      StepPlan plan,
      LatentCache cache,
      Activation out) {
    device.attention.prefill(
        CudaActivation.of(queries),
        attention,
        device.on(plan),
        CudaCache.of(cache),
        CudaActivation.of(out));
  }

  @Override
  public Routing route(
      Activation in,
      Weight router,
      Optional<WeightVector> bias,
      RouterPolicy policy,
      ExpertWeights experts,
      StepPlan plan) {
    CudaExperts matrices = CudaExperts.of(experts);
    ExpertsShape shape = matrices.shape(policy.perToken());
    CudaPlan step = device.on(plan);
    CudaRouting routing =
        new CudaRouting(
            device.arena,
            in.rows(),
            matrices,
            policy.perToken(),
            device.experts.workspaceBytes(shape, in.rows()));
    try {
      routing.compute(
          device.sideStream,
          stream -> {
            multiply(
                routing.own(new QuantizedInput(device, CudaActivation.of(in), stream)),
                router,
                false,
                routing.logits());
            device.router.route(
                routing.logits().tensor(),
                bias.map(CudaVector::of),
                policy,
                routing.ids(),
                routing.weights(),
                stream);
            return device.experts.sort(
                shape,
                CudaActivation.of(in).tensor(),
                Optional.of(step.validRows()),
                routing.ids(),
                matrices.scaling(),
                routing.workspace(device.context),
                stream);
          });
      return routing;
    } catch (RuntimeException | Error e) {
      routing.close();
      throw e;
    }
  }

  @Override
  public void experts(Routing routing, Activation out) {
    addExperts(CudaRouting.of(routing), out, Optional.empty());
  }

  @Override
  public void expertsAndNormalize(
      Routing routing, Activation out, WeightVector gain, float epsilon, Activation normed) {
    RowNorm norm = new RowNorm(CudaVector.of(gain), epsilon, CudaActivation.of(normed).gemmRows());
    addExperts(CudaRouting.of(routing), out, Optional.of(norm));
  }

  private void addExperts(CudaRouting routing, Activation out, Optional<RowNorm> norm) {
    CudaExperts matrices = routing.experts();
    SortedRows sorted = routing.await();
    DeviceTensor weights = routing.weights();
    DeviceTensor sums = CudaActivation.of(out).tensor();
    switch (matrices.format()) {
      case FLOAT32, BFLOAT16 ->
          sorted.add(weights, matrices.gateUp(), matrices.down(), sums, norm, device.stream);
      case FLOAT8_BLOCKS, FLOAT8_ROWS ->
          sorted.add(
              weights, matrices.float8GateUp(), matrices.float8Down(), sums, norm, device.stream);
    }
  }

  @Override
  public void gatherSampled(Activation in, StepPlan plan, Activation out) {
    device.rows.gather(
        CudaActivation.of(in).tensor(),
        device.on(plan).sampledRowTensor(),
        CudaActivation.of(out).tensor(),
        device.stream);
  }

  @Override
  public void sample(Activation logits, StepPlan plan, LatentCache cache) {
    CudaPlan step = device.on(plan);
    CudaActivation given = CudaActivation.of(logits);
    if (step.processesLogits() && step.reportsLogprobs()) {
      // Log probabilities are those of the logits before anything is done to them.
      try (CudaActivation copy = given.copy(device.arena, device.stream)) {
        processLogits(copy, step, cache);
        chooseTokens(copy, step);
      }
    } else {
      if (step.processesLogits()) {
        processLogits(given, step, cache);
      }
      chooseTokens(given, step);
    }
    if (step.reportsLogprobs()) {
      device.rows.logprobs(
          given.tensor(),
          step.sampling(),
          device.plans.tokens(step.sampledRows()),
          device.plans.logprobs(step.sampledRows()),
          device.stream);
    }
  }

  private void processLogits(CudaActivation logits, CudaPlan step, LatentCache cache) {
    try (ProcessingWorkspace workspace =
        new ProcessingWorkspace(device.arena, logits.rows(), logits.columns())) {
      device.rows.processLogits(
          logits.tensor(),
          step.processing(),
          step.words(),
          CudaCache.of(cache).tokens(),
          workspace.counts(),
          new ConstraintMemory(
              device.automata.words(),
              device.plans.tokens(),
              device.plans.positions(),
              workspace.positions()),
          device.stream);
    }
  }

  private void chooseTokens(CudaActivation logits, CudaPlan step) {
    device.rows.sample(
        logits.tensor(), step.sampling(), device.plans.tokens(step.sampledRows()), device.stream);
  }

  @Override
  public float[][] read(Activation activation) {
    return device.guarded("reading activations", () -> copy(CudaActivation.of(activation)));
  }

  private float[][] copy(CudaActivation activation) {
    float[][] values = new float[activation.rows()][activation.columns()];
    for (int row = 0; row < values.length; row++) {
      DeviceTensor tensor = activation.tensor(row, 1);
      int size = tensor.type().bytes();
      ByteBuffer bytes =
          ByteBuffer.allocateDirect(activation.columns() * size).order(ByteOrder.nativeOrder());
      tensor
          .buffer()
          .copyToHost(tensor.address() - tensor.buffer().address(), bytes, device.stream);
      for (int i = 0; i < values[row].length; i++) {
        values[row][i] =
            tensor.type() == ElementType.FLOAT32
                ? bytes.getFloat(4 * i)
                : Float.intBitsToFloat(bytes.getShort(2 * i) << 16);
      }
    }
    return values;
  }

  @Override
  public void close() {
    device.close();
  }
}
