package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaContext;
import dev.sparkmla.cuda.CudaException;
import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.CudaUnavailableException;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.GpuDevice;
import dev.sparkmla.cuda.MlaPrefill;
import dev.sparkmla.cuda.RandomPool;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import java.util.Random;
import java.util.function.IntConsumer;

/**
 * {@code bin/bench prefill}: times prefill attention on the first device, beside the ceilings of
 * the same run, as a Markdown table. Runs alternate between two sets of inputs.
 */
public final class PrefillBenchmark {
  private static final int SETS = 2;

  private PrefillBenchmark() {}

  /** Exits with 0 when the table is complete, 1 where there is no usable GPU, 2 for bad options. */
  public static void main(String[] arguments) {
    if (arguments.length > 0) {
      System.err.println("usage: bin/bench prefill");
      System.exit(2);
      return;
    }
    try {
      run();
    } catch (CudaUnavailableException e) {
      System.err.println("bench prefill: " + e.getMessage());
      System.exit(1);
    } catch (CudaException e) {
      System.err.println("bench prefill failed: " + e.getMessage());
      System.exit(1);
    }
  }

  private static void run() {
    GpuDevice device = GpuDevice.at(0);
    try (CudaContext context = CudaContext.open(device);
        CudaStream stream = context.newStream();
        RandomPool pool = new RandomPool(context, 1, stream);
        Timer timer = new Timer(context, stream)) {
      MlaPrefill prefill = MlaPrefill.on(context);
      Ceilings ceilings = Ceilings.measure(context, stream, pool, timer);
      boolean gemm = ceilings.gemmTeraflops().isPresent();
      System.out.println(ceilings.heading(device));
      System.out.println();
      System.out.println(
          "| heads | tokens | key | value | ms | TFLOPS | % of GEMM | cuDNN TFLOPS | × |");
      System.out.println("|" + "---|".repeat(9));
      for (PrefillRow row : PrefillRow.all()) {
        double milliseconds = time(row, prefill, context, stream, pool, timer);
        double teraflops = row.operations() / milliseconds / 1e9;
        System.out.printf(
            Locale.ROOT,
            "| %d | %d | %d | %d | %.3f | %.0f | %s | %s | %s |%n",
            row.heads(),
            row.tokens(),
            row.keyDim(),
            row.valueDim(),
            milliseconds,
            teraflops,
            gemm
                ? String.format(
                    Locale.ROOT, "%.0f", 100 * teraflops / ceilings.gemmTeraflops().getAsDouble())
                : "n/a",
            row.cudnn().isPresent() ? row.cudnn().getAsInt() : "",
            row.cudnn().isPresent()
                ? String.format(Locale.ROOT, "%.2f", teraflops / row.cudnn().getAsInt())
                : "");
      }
    }
  }

  private static double time(
      PrefillRow row,
      MlaPrefill prefill,
      CudaContext context,
      CudaStream stream,
      RandomPool pool,
      Timer timer) {
    long tokens = row.tokens();
    long heads = row.heads();
    int expanded = row.nopeDim() + row.valueDim();
    try (DeviceBuffer q = context.allocate(2 * SETS * tokens * heads * row.keyDim());
        DeviceBuffer kv = context.allocate(2 * SETS * tokens * heads * expanded);
        DeviceBuffer kRope = context.allocate(2 * SETS * tokens * row.ropeDim());
        DeviceBuffer starts = context.allocate(8);
        DeviceBuffer offsets = context.allocate(4);
        DeviceBuffer out = context.allocate(2 * tokens * heads * row.valueDim());
        DeviceBuffer logSumExp = context.allocate(4 * tokens * heads);
        DeviceBuffer nextTile = context.allocate(4)) {
      for (DeviceBuffer input : new DeviceBuffer[] {q, kv, kRope}) {
        pool.fill(input, 0, input.bytes(), new Random(2), stream);
      }
      ByteBuffer bounds = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
      starts.copyFromHost(0, bounds.putInt(4, row.tokens()), stream);
      offsets.fill(0, 4, (byte) 0, stream);
      nextTile.fill(0, 4, (byte) 0, stream);
      DeviceTensor nextTileTensor = nextTile.tensor(ElementType.INT32, 1);
      DeviceTensor outTensor = out.tensor(ElementType.BFLOAT16, tokens, heads, row.valueDim());
      DeviceTensor logSumExpTensor = logSumExp.tensor(ElementType.FLOAT32, heads, tokens);
      DeviceTensor startsTensor = starts.tensor(ElementType.INT32, 2);
      DeviceTensor offsetsTensor = offsets.tensor(ElementType.INT32, 1);
      IntConsumer call =
          run ->
              prefill.attention(
                  set(q, run, tokens, heads, row.keyDim()),
                  set(kv, run, tokens, heads, expanded),
                  set(kRope, run, tokens, row.ropeDim()),
                  startsTensor,
                  startsTensor,
                  offsetsTensor,
                  row.nopeDim(),
                  (float) (1 / Math.sqrt(row.keyDim())),
                  false,
                  outTensor,
                  logSumExpTensor,
                  nextTileTensor,
                  stream);
      return timer.median(call);
    }
  }

  /** The inputs of a run: one part of a buffer that holds those of all sets. */
  private static DeviceTensor set(DeviceBuffer buffer, int run, long... shape) {
    return DeviceTensor.of(
        buffer, buffer.bytes() / SETS * (run % SETS), ElementType.BFLOAT16, shape);
  }
}
