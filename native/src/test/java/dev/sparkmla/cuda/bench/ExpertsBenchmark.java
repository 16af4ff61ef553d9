package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Experts;
import dev.sparkmla.cuda.ExpertsShape;
import dev.sparkmla.cuda.Float8Scaling;
import dev.sparkmla.cuda.Float8Weights;
import dev.sparkmla.cuda.SortedRows;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;
import java.util.function.IntConsumer;

/**
 * {@code bin/bench experts}: times the routed experts of one layer, in bf16 and in FP8, on the
 * first device, beside the ceilings of the same run, as a Markdown table. Each token's experts are
 * drawn evenly. A layer's weights exceed the second-level cache many times, so every run reads them
 * from memory.
 */
public final class ExpertsBenchmark {
  private static final List<ExpertsShape> SHAPES =
      List.of(new ExpertsShape(64, 6, 2048, 1408), new ExpertsShape(64, 4, 2048, 1536));
  private static final int[] TOKENS = {1, 4, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

  private ExpertsBenchmark() {}

  /** Exits with 0 when the table is complete, 1 where there is no usable GPU, 2 for any option. */
  public static void main(String[] arguments) {
    MeasuredDevice.main("experts", arguments, ExpertsBenchmark::run);
  }

  private static void run(MeasuredDevice device) {
    Experts experts = Experts.on(device.context());
    Ceilings ceilings = Ceilings.measure(device);
    System.out.println(ceilings.heading(device.device()));
    System.out.println();
    System.out.println(
        "| weights | experts | top | hidden | width | tokens | used | ms | weights GB/s | TFLOPS |"
            + " % of limit |");
    System.out.println("|" + "---|".repeat(11));
    for (ExpertsShape shape : SHAPES) {
      time(shape, experts, device, ceilings);
    }
  }

  private static void time(
      ExpertsShape shape, Experts experts, MeasuredDevice device, Ceilings ceilings) {
    CudaStream stream = device.stream();
    Timer timer = device.timer();
    int most = TOKENS[TOKENS.length - 1];
    long hidden = shape.hidden();
    long width = shape.width();
    long choices = (long) most * shape.perToken();
    try (DeviceBuffer x = device.allocate(2 * most * hidden);
        DeviceBuffer out = device.allocate(4 * most * hidden);
        DeviceBuffer ids = device.allocate(4 * choices);
        DeviceBuffer weights = device.allocate(4 * choices);
        DeviceBuffer workspace = device.allocate(experts.workspaceBytes(shape, most))) {
      device.fill(x, 2);
      out.fill(0, out.bytes(), (byte) 0, stream);
      int[] chosen = choose(shape, most);
      upload(chosen, ids, weights, stream);
      Layer layer = new Layer(experts, shape, chosen, x, ids, weights, workspace, out, stream);
      long matrix = shape.experts() * hidden * width;
      try (DeviceBuffer gateUp = device.allocate(4 * matrix);
          DeviceBuffer down = device.allocate(2 * matrix)) {
        for (DeviceBuffer buffer : new DeviceBuffer[] {gateUp, down}) {
          device.fill(buffer, 2);
        }
        DeviceTensor gateUps =
            gateUp.tensor(ElementType.BFLOAT16, shape.experts(), 2 * width, hidden);
        DeviceTensor downs = down.tensor(ElementType.BFLOAT16, shape.experts(), hidden, width);
        layer.time("bf16", 2, tokens -> layer.add(tokens, gateUps, downs), timer, ceilings);
      }
      try (RandomWeights gateUp = RandomWeights.experts(device, shape.experts(), 2, width, hidden);
          RandomWeights down = RandomWeights.experts(device, shape.experts(), 1, hidden, width)) {
        layer.time(
            "FP8",
            1,
            tokens -> layer.add(tokens, gateUp.weights(), down.weights()),
            timer,
            ceilings);
      }
    }
  }

  /** A layer's activations and choices. */
  private record Layer(
      Experts experts,
      ExpertsShape shape,
      int[] chosen,
      DeviceBuffer x,
      DeviceBuffer ids,
      DeviceBuffer weights,
      DeviceBuffer workspace,
      DeviceBuffer out,
      CudaStream stream) {
    private DeviceTensor in(int tokens) {
      return x.tensor(ElementType.BFLOAT16, tokens, shape.hidden());
    }

    private DeviceTensor choices(DeviceBuffer of, ElementType type, int tokens) {
      return of.tensor(type, tokens, shape.perToken());
    }

    private DeviceTensor result(int tokens) {
      return out.tensor(ElementType.FLOAT32, tokens, shape.hidden());
    }

    private SortedRows sort(int tokens, Optional<Float8Scaling> scaling) {
      DeviceTensor chosenIds = choices(ids, ElementType.INT32, tokens);
      return experts.sort(
          shape, in(tokens), Optional.empty(), chosenIds, scaling, workspace, stream);
    }

    void add(int tokens, DeviceTensor gateUp, DeviceTensor down) {
      sort(tokens, Optional.empty())
          .add(
              choices(weights, ElementType.FLOAT32, tokens),
              gateUp,
              down,
              result(tokens),
              Optional.empty(),
              stream);
    }

    void add(int tokens, Float8Weights gateUp, Float8Weights down) {
      sort(tokens, Optional.of(gateUp.scaling()))
          .add(
              choices(weights, ElementType.FLOAT32, tokens),
              gateUp,
              down,
              result(tokens),
              Optional.empty(),
              stream);
    }

    /** Prints a row for each number of tokens; a weight has so many bytes. */
    void time(String format, int weightBytes, IntConsumer add, Timer timer, Ceilings ceilings) {
      for (int tokens : TOKENS) {
        double milliseconds = timer.median(run -> add.accept(tokens));
        long used = Arrays.stream(chosen, 0, tokens * shape.perToken()).distinct().count();
        double bytes = 3.0 * weightBytes * used * shape.hidden() * shape.width();
        double operations = 6.0 * tokens * shape.perToken() * shape.hidden() * shape.width();
        double limit = bytes / ceilings.copyGigabytesPerSecond() / 1e6;
        if (ceilings.gemmTeraflops().isPresent()) {
          // FP8's tensor cores are twice as fast.
          double rate = ceilings.gemmTeraflops().getAsDouble() * 2 / weightBytes;
          limit = Math.max(limit, operations / rate / 1e9);
        }
        System.out.printf(
            Locale.ROOT,
            "| %s | %d | %d | %d | %d | %d | %d | %.4f | %.0f | %.0f | %.0f |%n",
            format,
            shape.experts(),
            shape.perToken(),
            shape.hidden(),
            shape.width(),
            tokens,
            used,
            milliseconds,
            bytes / milliseconds / 1e6,
            operations / milliseconds / 1e9,
            100 * limit / milliseconds);
      }
    }
  }

  /** Distinct experts for each token. */
  private static int[] choose(ExpertsShape shape, int tokens) {
    Random random = new Random(3);
    int[] chosen = new int[tokens * shape.perToken()];
    for (int token = 0; token < tokens; token++) {
      int[] own = random.ints(0, shape.experts()).distinct().limit(shape.perToken()).toArray();
      System.arraycopy(own, 0, chosen, token * shape.perToken(), own.length);
    }
    return chosen;
  }

  private static void upload(
      int[] chosen, DeviceBuffer ids, DeviceBuffer weights, CudaStream stream) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(4 * chosen.length).order(ByteOrder.nativeOrder());
    bytes.asIntBuffer().put(chosen);
    ids.copyFromHost(0, bytes, stream);
    for (int i = 0; i < chosen.length; i++) {
      bytes.putFloat(4 * i, 0.125f);
    }
    weights.copyFromHost(0, bytes, stream);
  }
}
