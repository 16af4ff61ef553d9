package dev.sparkmla.cuda.bench;

import dev.sparkmla.cuda.CudaStream;
import dev.sparkmla.cuda.DeviceBuffer;
import dev.sparkmla.cuda.DeviceTensor;
import dev.sparkmla.cuda.ElementType;
import dev.sparkmla.cuda.MlaDecode;
import dev.sparkmla.cuda.MlaMetadata;
import dev.sparkmla.cuda.MlaShape;
import dev.sparkmla.cuda.PagedCache;
import dev.sparkmla.cuda.SplitPolicy;
import dev.sparkmla.kvcache.CacheShape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/**
 * {@code bin/bench decode}: times MLA decode on the first device, beside the ceilings of the same
 * run, as a Markdown table, with balanced splits and with splits by length. Pages are shuffled;
 * runs rotate among as many sets of pages as exceed the second-level cache. The schedule is made
 * before, the merging of splits is timed.
 */
public final class DecodeBenchmark {
  /** Distinct memory that a row's runs rotate through: several times the 60 MB of an H200's L2. */
  private static final long ROTATED_BYTES = 400L << 20;

  private static final int MOST_SETS = 4;
  private static final long PAGE_BYTES = 2L * MlaDecode.PAGE_TOKENS * DecodeRow.KEY_DIM;

  /** Milliseconds of a call, as {@link Timer} measures them. */
  private record Times(double rested, double sustained, double fromIdle) {}

  private DecodeBenchmark() {}

  /** Exits with 0 when the table is complete, 1 where there is no usable GPU, 2 for bad options. */
  public static void main(String[] arguments) {
    boolean toFile = arguments.length == 2 && arguments[0].equals("--json");
    if (arguments.length > 0 && !toFile) {
      System.err.println("usage: bin/bench decode [--json FILE]");
      System.exit(2);
      return;
    }
    Path json = toFile ? Path.of(arguments[1]) : null;
    MeasuredDevice.run("decode", device -> run(device, json));
  }

  private static void run(MeasuredDevice device, Path json) {
    List<DecodeRow> rows = DecodeRow.all();
    MlaDecode decode = MlaDecode.on(device.context());
    Ceilings ceilings = Ceilings.measure(device);
    String heading = ceilings.heading(device.device());
    System.out.println(heading);
    System.out.println();
    System.out.println(
        "| b | s_q | h_q | s_k | causal | ms | TFLOPS | GB/s | % of limit | FlashMLA ms | × |"
            + " sustained ms | by length ms | over balanced | call ms |");
    System.out.println("|" + "---|".repeat(15));

    long pages = rows.stream().mapToLong(row -> pages(row) * sets(row)).max().orElseThrow();
    List<DecodeResult> results = new ArrayList<>();
    try (DeviceBuffer cache = device.allocate(pages * PAGE_BYTES)) {
      device.fill(cache, 2);
      PagedCache paged =
          PagedCache.of(
              cache,
              0,
              CacheShape.of(DecodeRow.LATENT_DIM, DecodeRow.KEY_DIM - DecodeRow.LATENT_DIM),
              Math.toIntExact(pages));
      for (DecodeRow row : rows) {
        Times balanced = time(row, SplitPolicy.BALANCED, decode, device, paged);
        Times byLength = time(row, SplitPolicy.BY_LENGTH, decode, device, paged);
        DecodeResult result =
            new DecodeResult(
                row,
                balanced.rested(),
                balanced.sustained(),
                byLength.rested(),
                balanced.fromIdle());
        results.add(result);
        System.out.println(line(result, ceilings));
      }
    }
    System.out.println();
    System.out.println(summary(results));
    if (json != null) {
      write(json, json(heading, ceilings, results));
    }
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      throw new UncheckedIOException("cannot write " + file + ": " + e.getMessage(), e);
    }
  }

  private static long pages(DecodeRow row) {
    return Arrays.stream(row.lengths()).mapToLong(length -> (length + 63) / 64).sum();
  }

  private static long sets(DecodeRow row) {
    long bytes = pages(row) * PAGE_BYTES;
    return Math.max(1, Math.min(MOST_SETS, (ROTATED_BYTES + bytes - 1) / bytes));
  }

  private static Times time(
      DecodeRow row,
      SplitPolicy splits,
      MlaDecode decode,
      MeasuredDevice device,
      PagedCache cache) {
    CudaStream stream = device.stream();
    Timer timer = device.timer();
    int[] lengths = row.lengths();
    int maxBlocks = (Arrays.stream(lengths).max().orElseThrow() + 63) / 64;
    int sets = Math.toIntExact(sets(row));
    MlaShape shape =
        new MlaShape(
            row.batch(),
            row.queryTokens(),
            row.queryHeads(),
            1,
            DecodeRow.LATENT_DIM,
            DecodeRow.ROPE_DIM,
            maxBlocks,
            splits);
    long rows = (long) row.batch() * row.queryTokens() * row.queryHeads();
    try (MlaMetadata metadata = decode.metadata(shape);
        DeviceBuffer tables = device.allocate(4L * sets * row.batch() * maxBlocks);
        DeviceBuffer q = device.allocate(2L * sets * rows * DecodeRow.KEY_DIM);
        DeviceBuffer out = device.allocate(2 * rows * DecodeRow.LATENT_DIM);
        DeviceBuffer logSumExp = device.allocate(4 * rows)) {
      device.fill(q, 3);
      tables.copyFromHost(0, tables(lengths, maxBlocks, sets, cache.blocks()), stream);
      metadata.update(lengths, stream);
      DeviceTensor[] queries = new DeviceTensor[sets];
      DeviceTensor[] table = new DeviceTensor[sets];
      for (int set = 0; set < sets; set++) {
        queries[set] =
            DeviceTensor.of(
                q,
                2L * set * rows * DecodeRow.KEY_DIM,
                ElementType.BFLOAT16,
                row.batch(),
                row.queryTokens(),
                row.queryHeads(),
                DecodeRow.KEY_DIM);
        table[set] =
            DeviceTensor.of(
                tables,
                4L * set * row.batch() * maxBlocks,
                ElementType.INT32,
                row.batch(),
                maxBlocks);
      }
      DeviceTensor outTensor =
          out.tensor(
              ElementType.BFLOAT16,
              row.batch(),
              row.queryTokens(),
              row.queryHeads(),
              DecodeRow.LATENT_DIM);
      DeviceTensor logSumExpTensor =
          logSumExp.tensor(ElementType.FLOAT32, row.batch(), row.queryHeads(), row.queryTokens());
      float scale = (float) (1 / Math.sqrt(DecodeRow.KEY_DIM));
      IntConsumer call =
          run ->
              decode.withKvCache(
                  queries[run % sets],
                  cache,
                  table[run % sets],
                  metadata.cacheSeqlens(),
                  DecodeRow.LATENT_DIM,
                  metadata,
                  scale,
                  row.causal(),
                  outTensor,
                  logSumExpTensor,
                  stream);
      return new Times(timer.median(call), timer.sustainedMedian(call), timer.medianFromIdle(call));
    }
  }

  /** Block tables for each set: pages drawn without repetition from the whole cache. */
  private static ByteBuffer tables(int[] lengths, int maxBlocks, int sets, int cachePages) {
    int[] shuffled = IntStream.range(0, cachePages).toArray();
    Random random = new Random(4);
    for (int i = shuffled.length - 1; i > 0; i--) {
      int other = random.nextInt(i + 1);
      int page = shuffled[i];
      shuffled[i] = shuffled[other];
      shuffled[other] = page;
    }
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(4 * sets * lengths.length * maxBlocks)
            .order(ByteOrder.nativeOrder());
    int next = 0;
    for (int set = 0; set < sets; set++) {
      for (int sequence = 0; sequence < lengths.length; sequence++) {
        for (int page = 0; page < (lengths[sequence] + 63) / 64; page++) {
          bytes.putInt(
              4 * ((set * lengths.length + sequence) * maxBlocks + page), shuffled[next++]);
        }
      }
    }
    return bytes;
  }

  private static String line(DecodeResult result, Ceilings ceilings) {
    DecodeRow row = result.row();
    return String.format(
        Locale.ROOT,
        "| %d | %d | %d | %s%d | %s | %.4f | %.0f | %.0f | %.0f | %s | %s | %.4f | %.4f | %.3f |"
            + " %.4f |",
        row.batch(),
        row.queryTokens(),
        row.queryHeads(),
        row.varied() ? "~" : "",
        row.tokens(),
        row.causal() ? "yes" : "no",
        result.milliseconds(),
        result.teraflops(),
        result.gigabytesPerSecond(),
        result.percentOfLimit(ceilings),
        row.flashMla().isPresent()
            ? String.format(Locale.ROOT, "%.3f", row.flashMla().getAsDouble())
            : "",
        row.flashMla().isPresent()
            ? String.format(
                Locale.ROOT, "%.2f", row.flashMla().getAsDouble() / result.milliseconds())
            : "",
        result.sustainedMilliseconds(),
        result.byLengthMilliseconds(),
        result.byLengthMilliseconds() / result.milliseconds(),
        result.callMilliseconds());
  }

  private static String summary(List<DecodeResult> results) {
    double logSpeedup =
        results.stream()
            .filter(r -> r.row().batch() == 128 && r.row().queryHeads() == 128)
            .mapToDouble(r -> Math.log(r.row().flashMla().getAsDouble() / r.milliseconds()))
            .average()
            .orElseThrow();
    double logByLength =
        results.stream()
            .mapToDouble(r -> Math.log(r.byLengthMilliseconds() / r.milliseconds()))
            .average()
            .orElseThrow();
    return String.format(
        Locale.ROOT,
        "FlashMLA's time over ours, geometric mean of the rows with b = 128 and h_q = 128: %.3f.%n"
            + "Splits by length over balanced ones, geometric mean of all rows: %.3f.",
        Math.exp(logSpeedup),
        Math.exp(logByLength));
  }

  private static String json(String heading, Ceilings ceilings, List<DecodeResult> results) {
    List<String> lines = new ArrayList<>();
    for (DecodeResult result : results) {
      DecodeRow row = result.row();
      lines.add(
          String.format(
              Locale.ROOT,
              "    {\"b\": %d, \"s_q\": %d, \"h_q\": %d, \"s_k\": %d, \"varied\": %b, \"causal\":"
                  + " %b, \"ms\": %.5f, \"tflops\": %.1f, \"gb_per_s\": %.1f,"
                  + " \"percent_of_limit\": %.1f, \"flash_mla_ms\": %s, \"sustained_ms\": %.5f,"
                  + " \"by_length_ms\": %.5f, \"call_ms\": %.5f}",
              row.batch(),
              row.queryTokens(),
              row.queryHeads(),
              row.tokens(),
              row.varied(),
              row.causal(),
              result.milliseconds(),
              result.teraflops(),
              result.gigabytesPerSecond(),
              result.percentOfLimit(ceilings),
              row.flashMla().isPresent() ? row.flashMla().getAsDouble() : "null",
              result.sustainedMilliseconds(),
              result.byLengthMilliseconds(),
              result.callMilliseconds()));
    }
    return String.format(
        Locale.ROOT,
        "{%n  \"run\": \"%s\",%n  \"copy_gb_per_s\": %.1f,%n  \"gemm_tflops\": %s,%n"
            + "  \"rows\": [%n%s%n  ]%n}%n",
        heading.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", " "),
        ceilings.copyGigabytesPerSecond(),
        ceilings.gemmTeraflops().isPresent()
            ? String.format(Locale.ROOT, "%.1f", ceilings.gemmTeraflops().getAsDouble())
            : "null",
        String.join(",\n", lines));
  }
}
