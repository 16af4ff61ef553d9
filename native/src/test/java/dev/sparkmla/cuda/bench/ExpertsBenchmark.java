package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Experts;
import dev.sparkmla.cuda.ExpertsShape;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.cuda.RandomPool;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;

/**
 * {@code bin/bench experts}: times the routed experts of one layer on the first device, beside the
 * ceilings of the same run, as a Markdown table. Each token's experts are drawn evenly. A layer's
 * weights exceed the second-level cache many times, so every run reads them from memory.
 */
public final class ExpertsBenchmark {
  private static final List<ExpertsShape> SHAPES =
      List.of(new ExpertsShape(64, 6, 2048, 1408), new ExpertsShape(64, 4, 2048, 1536));
  private static final int[] TOKENS = {1, 16, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384};

  private ExpertsBenchmark() {}

  /** Exits with 0 when the table is complete, 1 where there is no usable GPU, 2 for any option. */
  public static void main(String[] arguments) {
    if (arguments.length > 0) {
      System.err.println("usage: bin/bench experts");
      System.exit(2);
      return;
    }
    try {
      run();
    } catch (CudaUnavailableException e) {
      System.err.println("bench experts: " + e.getMessage());
      System.exit(1);
    } catch (CudaException e) {
      System.err.println("bench experts failed: " + e.getMessage());
      System.exit(1);
    }
  }

  private static void run() {
    GpuDevice device = GpuDevice.at(0);
    try (CudaContext context = CudaContext.open(device);
        CudaStream stream = context.newStream();
        RandomPool pool = new RandomPool(context, 1, stream);
        Timer timer = new Timer(context, stream)) {
      Experts experts = Experts.on(context);
      Ceilings ceilings = Ceilings.measure(context, stream, pool, timer);
      System.out.println(ceilings.heading(device));
      System.out.println();
      System.out.println(
          "| experts | top | hidden | width | tokens | used | ms | weights GB/s | TFLOPS |"
              + " % of limit |");
      System.out.println("|" + "---|".repeat(10));
      for (ExpertsShape shape : SHAPES) {
        time(shape, experts, context, stream, pool, timer, ceilings);
      }
    }
  }

  private static void time(
      ExpertsShape shape,
      Experts experts,
      CudaContext context,
      CudaStream stream,
      RandomPool pool,
      Timer timer,
      Ceilings ceilings) {
    int most = TOKENS[TOKENS.length - 1];
    long hidden = shape.hidden();
    long matrix = shape.experts() * hidden * shape.width();
    long choices = (long) most * shape.perToken();
    try (DeviceBuffer gateUp = context.allocate(4 * matrix);
        DeviceBuffer down = context.allocate(2 * matrix);
        DeviceBuffer x = context.allocate(2 * most * hidden);
        DeviceBuffer out = context.allocate(4 * most * hidden);
        DeviceBuffer ids = context.allocate(4 * choices);
        DeviceBuffer weights = context.allocate(4 * choices);
        DeviceBuffer workspace = context.allocate(experts.workspaceBytes(shape, most))) {
      for (DeviceBuffer buffer : new DeviceBuffer[] {gateUp, down, x}) {
        pool.fill(buffer, 0, buffer.bytes(), new Random(2), stream);
      }
      out.fill(0, out.bytes(), (byte) 0, stream);
      int[] chosen = choose(shape, most);
      upload(chosen, ids, weights, stream);
      for (int tokens : TOKENS) {
        DeviceTensor in = x.tensor(ElementType.BFLOAT16, tokens, hidden);
        double milliseconds =
            timer.median(
                run ->
                    experts.add(
                        shape,
                        in,
                        Optional.empty(),
                        ids.tensor(ElementType.INT32, tokens, shape.perToken()),
                        weights.tensor(ElementType.FLOAT32, tokens, shape.perToken()),
                        gateUp.tensor(
                            ElementType.BFLOAT16, shape.experts(), 2L * shape.width(), hidden),
                        down.tensor(ElementType.BFLOAT16, shape.experts(), hidden, shape.width()),
                        workspace,
                        out.tensor(ElementType.FLOAT32, tokens, hidden),
                        stream));
        long used = Arrays.stream(chosen, 0, tokens * shape.perToken()).distinct().count();
        double bytes = 6.0 * used * hidden * shape.width();
        double operations = 6.0 * tokens * shape.perToken() * hidden * shape.width();
        double limit = bytes / ceilings.copyGigabytesPerSecond() / 1e6;
        if (ceilings.gemmTeraflops().isPresent()) {
          limit = Math.max(limit, operations / ceilings.gemmTeraflops().getAsDouble() / 1e9);
        }
        System.out.printf(
            Locale.ROOT,
            "| %d | %d | %d | %d | %d | %d | %.4f | %.0f | %.0f | %.0f |%n",
            shape.experts(),
            shape.perToken(),
            hidden,
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
