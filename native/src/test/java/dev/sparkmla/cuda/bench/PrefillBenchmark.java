package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.MlaPrefill;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;
import java.util.function.IntConsumer;

/**
 * {@code bin/bench prefill}: times prefill attention on the first device, beside the ceilings of
 * the same run, as a Markdown table. Runs alternate between two sets of inputs.
 */
public final class PrefillBenchmark {
  private static final int SETS = 2;

  private PrefillBenchmark() {}

  /** Exits with 0 when the table is complete, 1 where there is no usable GPU, 2 for any option. */
  public static void main(String[] arguments) {
    MeasuredDevice.main("prefill", arguments, PrefillBenchmark::run);
  }

  private static void run(MeasuredDevice device) {
    MlaPrefill prefill = MlaPrefill.on(device.context());
    Ceilings ceilings = Ceilings.measure(device);
    boolean gemm = ceilings.gemmTeraflops().isPresent();
    System.out.println(ceilings.heading(device.device()));
    System.out.println();
    System.out.println(
        "| heads | tokens | key | value | ms | TFLOPS | % of GEMM | cuDNN TFLOPS | × |");
    System.out.println("|" + "---|".repeat(9));
    for (PrefillRow row : PrefillRow.all()) {
      double milliseconds = time(row, prefill, device);
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

  private static double time(PrefillRow row, MlaPrefill prefill, MeasuredDevice device) {
    CudaStream stream = device.stream();
    long tokens = row.tokens();
    long heads = row.heads();
    int expanded = row.nopeDim() + row.valueDim();
    try (DeviceBuffer q = device.allocate(2 * SETS * tokens * heads * row.keyDim());
        DeviceBuffer kv = device.allocate(2 * SETS * tokens * heads * expanded);
        DeviceBuffer kRope = device.allocate(2 * SETS * tokens * row.ropeDim());
        DeviceBuffer starts = device.allocate(8);
        DeviceBuffer offsets = device.allocate(4);
        DeviceBuffer out = device.allocate(2 * tokens * heads * row.valueDim());
        DeviceBuffer logSumExp = device.allocate(4 * tokens * heads);
        DeviceBuffer nextTile = device.allocate(4)) {
      for (DeviceBuffer input : new DeviceBuffer[] {q, kv, kRope}) {
        device.fill(input, 2);
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
      return device.timer().median(call);
    }
  }

  /** The inputs of a run: one part of a buffer that holds those of all sets. */
  private static DeviceTensor set(DeviceBuffer buffer, int run, long... shape) {
    return DeviceTensor.of(
        buffer, buffer.bytes() / SETS * (run % SETS), ElementType.BFLOAT16, shape);
  }
}
