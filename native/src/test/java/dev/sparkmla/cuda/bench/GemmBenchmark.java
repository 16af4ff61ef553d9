package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaGraph;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.Float8Gemm;
import dev.sparkmla.cuda.Float8Operations;
import dev.sparkmla.cuda.Float8Rows;
import dev.sparkmla.cuda.Gemm;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;

/**
 * {@code bin/bench gemm}: times dense GEMMs with FP8 weights on the first device, by the own kernel
 * and by cuBLASLt with the same scales, beside cuBLASLt's GEMM of bf16, as a Markdown table. Runs
 * go through copies of the weights that together exceed the second-level cache. Activations are
 * quantized before.
 */
public final class GemmBenchmark {
  private static final int[] ROWS = {16, 64, 128, 256, 4096, 16384};

  /** Of all copies of a weight. */
  private static final long WEIGHT_BYTES = 128L << 20;

  /** GEMMs of one run where they are short. */
  private static final int SHORT_GEMMS = 20;

  private static final int MOST_SHORT_ROWS = 256;

  private record Shape(String model, int n, int k) {}

  private static final List<Shape> SHAPES =
      List.of(
          new Shape("V2-Lite", 3648, 2048),
          new Shape("V2-Lite", 2048, 2048),
          new Shape("V2-Lite", 5632, 2048),
          new Shape("V2-Lite", 2048, 2816),
          new Shape("V2-Lite", 2048, 10944),
          new Shape("GLM", 5120, 768),
          new Shape("GLM", 2048, 5120),
          new Shape("V3", 2112, 7168),
          new Shape("V3", 24576, 1536),
          new Shape("V3", 7168, 16384));

  private GemmBenchmark() {}

  /** Exits with 0 when the table is complete, 1 where there is no usable GPU, 2 for any option. */
  public static void main(String[] arguments) {
    MeasuredDevice.main("gemm", arguments, GemmBenchmark::run);
  }

  private static void run(MeasuredDevice device) {
    try (Gemm gemm = Gemm.open(device.context())) {
      System.out.println(Ceilings.measure(device).heading(device.device()));
      System.out.println("The own kernel computes below " + Float8Gemm.LIBRARY_ROWS + " rows.");
      System.out.println();
      System.out.println(
          "| model | n × k | m | own µs | cuBLASLt blocks µs | bf16 µs | FP8 TFLOPS |"
              + " FP8 GB/s of weights | % of cuBLASLt blocks | bf16 / FP8 |");
      System.out.println("|" + "---|".repeat(10));
      for (Shape shape : SHAPES) {
        time(shape, gemm, device);
      }
    }
  }

  private static void time(Shape shape, Gemm gemm, MeasuredDevice device) {
    CudaContext context = device.context();
    CudaStream stream = device.stream();
    long n = shape.n();
    long k = shape.k();
    int most = ROWS[ROWS.length - 1];
    int copies = (int) (WEIGHT_BYTES / (n * k) + 1);
    Float8Gemm own = Float8Gemm.on(context, gemm, Integer.MAX_VALUE);
    Float8Gemm library = Float8Gemm.on(context, gemm, 1);
    List<RandomWeights> weights = new ArrayList<>();
    try (DeviceBuffer floats = context.allocate(2 * n * k * copies);
        DeviceBuffer a = context.allocate(2 * most * k);
        DeviceBuffer quantized = context.allocate(Float8Rows.bytes(most, k));
        DeviceBuffer c = context.allocate(2 * most * n)) {
      device.fill(floats, 2);
      device.fill(a, 3);
      for (int i = 0; i < copies; i++) {
        weights.add(RandomWeights.matrix(device, n, k));
      }
      for (int m : ROWS) {
        DeviceTensor in = a.tensor(ElementType.BFLOAT16, m, k);
        DeviceTensor out = c.tensor(ElementType.BFLOAT16, m, n);
        Float8Rows rows = Float8Rows.in(quantized, 0, m, k);
        Float8Operations.on(context).quantize(in, rows, stream);
        double ownTime =
            microseconds(
                device, m, copies, i -> own.multiply(rows, weights.get(i).weights(), out, stream));
        double libraryTime =
            microseconds(
                device,
                m,
                copies,
                i -> library.multiply(rows, weights.get(i).weights(), out, stream));
        double bfloat16Time =
            microseconds(
                device,
                m,
                copies,
                i ->
                    gemm.multiply(
                        in,
                        DeviceTensor.of(floats, 2 * n * k * i, ElementType.BFLOAT16, n, k),
                        out,
                        stream));
        double used = m < Float8Gemm.LIBRARY_ROWS ? ownTime : libraryTime;
        System.out.printf(
            Locale.ROOT,
            "| %s | %d × %d | %d | %.2f | %.2f | %.2f | %.0f | %.0f | %.0f | %.2f |%n",
            shape.model(),
            n,
            k,
            m,
            ownTime,
            libraryTime,
            bfloat16Time,
            2.0 * m * n * k / used / 1e6,
            n * k / used / 1e3,
            100 * libraryTime / used,
            bfloat16Time / used);
      }
    } finally {
      weights.forEach(RandomWeights::close);
    }
  }

  /**
   * Of one GEMM. Where they are short, a run is a graph of several: the processor could not launch
   * them so fast, and in a decode step they are a graph's too.
   */
  private static double microseconds(
      MeasuredDevice device, int m, int copies, Consumer<Integer> gemm) {
    if (m > MOST_SHORT_ROWS) {
      return 1e3 * device.timer().median(run -> gemm.accept(run % copies));
    }
    gemm.accept(0);
    int count = Math.max(SHORT_GEMMS, copies);
    Runnable graphed =
        () -> {
          for (int i = 0; i < count; i++) {
            gemm.accept(i % copies);
          }
        };
    try (CudaGraph graph = CudaGraph.capture(device.stream(), graphed)) {
      return 1e3 * device.timer().median(run -> graph.launch(device.stream())) / count;
    }
  }
}
