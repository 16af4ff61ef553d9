package dev.sparkmla.cuda;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * One prefill call on random data, hostile wherever the contract allows: rows past the last
 * segment's are NaN in every input, outputs start as NaN. Fails if the plain kernel disagrees.
 */
final class PrefillProblem implements AutoCloseable {
  private static final int EXTRA_ROWS = 3;
  private static final byte NAN_BYTE = (byte) 0xFF; // both bfloat16 and float32 of these are NaN

  /**
   * Wider than FlashMLA's: rows of few keys have larger outputs, log-sum-exps cross zero, and a
   * case has up to forty million elements, of which the rarest decides.
   */
  private static final Comparison.Tolerance TOLERANCE = new Comparison.Tolerance(1.2e-3, 4e-6);

  /**
   * Sizes that attention is built for.
   *
   * <p>Named after models that have them: DeepSeek-V2 and V3, GLM-4.7-Flash, Mistral Small 4,
   * MiniCPM3.
   */
  enum Sizes {
    DEEPSEEK(128, 64, 128),
    GLM(192, 64, 256),
    MISTRAL(64, 64, 128),
    MINICPM(64, 32, 64);

    final int nope;
    final int rope;
    final int value;

    Sizes(int nope, int rope, int value) {
      this.nope = nope;
      this.rope = rope;
      this.value = value;
    }
  }

  /**
   * What is attended to.
   *
   * @param heads of each query and key
   * @param sizes of a key and a value
   * @param queries of each segment
   * @param keys of each segment
   * @param offsets query i of a segment sees its keys 0 to i + offset
   */
  record Shape(int heads, Sizes sizes, int[] queries, int[] keys, int[] offsets) {
    /** Segments whose queries are the last of their keys. */
    static Shape causal(int heads, Sizes sizes, int[] queries, int[] keys) {
      int[] offsets = new int[queries.length];
      Arrays.setAll(offsets, i -> keys[i] - queries[i]);
      return new Shape(heads, sizes, queries, keys, offsets);
    }

    int keyDim() {
      return sizes.nope + sizes.rope;
    }

    /** Elements of a head in {@code kv}. */
    int expandedDim() {
      return sizes.nope + sizes.value;
    }

    int totalQueries() {
      return Arrays.stream(queries).sum();
    }

    int totalKeys() {
      return Arrays.stream(keys).sum();
    }

    @Override
    public String toString() {
      return "%d heads of %s, queries %s, keys %s, offsets %s"
          .formatted(heads, sizes, brief(queries), brief(keys), brief(offsets));
    }

    private static String brief(int[] values) {
      return values.length <= 8 ? Arrays.toString(values) : values.length + " segments";
    }
  }

  /** The bits of an output, bfloat16 [rows, heads, value] and float32 [heads, rows]. */
  record Bits(ByteBuffer out, ByteBuffer logSumExp) {}

  private final CudaContext context;
  private final CudaStream stream;
  private final MlaPrefill prefill;
  private final List<AutoCloseable> open = new ArrayList<>();
  final Shape shape;
  final float scale;
  final DeviceTensor q;
  final DeviceTensor kv;
  final DeviceTensor kRope;
  final DeviceTensor queryStarts;
  final DeviceTensor out;
  final DeviceTensor logSumExp;
  final DeviceTensor nextTile;

  PrefillProblem(
      MlaPrefill prefill,
      CudaContext context,
      CudaStream stream,
      RandomPool pool,
      Shape shape,
      Random random) {
    this.prefill = prefill;
    this.context = context;
    this.stream = stream;
    this.shape = shape;
    scale = 20; // the pool's values are small: scores then spread by about 3
    int queries = shape.totalQueries() + EXTRA_ROWS;
    int keys = shape.totalKeys() + EXTRA_ROWS;
    q = random(pool, random, shape.totalQueries(), queries, shape.heads(), shape.keyDim());
    kv = random(pool, random, shape.totalKeys(), keys, shape.heads(), shape.expandedDim());
    kRope = random(pool, random, shape.totalKeys(), keys, shape.sizes().rope);
    queryStarts = integers(starts(shape.queries()));
    out = tensor(ElementType.BFLOAT16, queries, shape.heads(), shape.sizes().value);
    logSumExp = tensor(ElementType.FLOAT32, shape.heads(), queries);
    nextTile = integers(0);
  }

  /** Rows of random values, NaN from row {@code used} on. */
  private DeviceTensor random(RandomPool pool, Random random, int used, long... dimensions) {
    DeviceTensor tensor = tensor(ElementType.BFLOAT16, dimensions);
    long bytes = tensor.buffer().bytes();
    long filled = bytes / dimensions[0] * used;
    pool.fill(tensor.buffer(), 0, filled, random, stream);
    tensor.buffer().fill(filled, bytes - filled, NAN_BYTE, stream);
    return tensor;
  }

  private DeviceTensor tensor(ElementType type, long... dimensions) {
    long count = Arrays.stream(dimensions).reduce(1, Math::multiplyExact);
    return keep(context.allocate(count * type.bytes())).tensor(type, dimensions);
  }

  DeviceTensor integers(int... values) {
    DeviceTensor tensor = tensor(ElementType.INT32, values.length);
    DecodeProblem.write(tensor.buffer(), values, stream);
    return tensor;
  }

  private <T extends AutoCloseable> T keep(T resource) {
    open.add(resource);
    return resource;
  }

  /** The running sum of lengths, from 0. */
  static int[] starts(int[] lengths) {
    int[] starts = new int[lengths.length + 1];
    for (int i = 0; i < lengths.length; i++) {
      starts[i + 1] = starts[i] + lengths[i];
    }
    return starts;
  }

  /** Sets the outputs to NaN, so that what the kernel leaves unwritten shows. */
  void poison() {
    out.buffer().fill(0, out.buffer().bytes(), NAN_BYTE, stream);
    logSumExp.buffer().fill(0, logSumExp.buffer().bytes(), NAN_BYTE, stream);
  }

  /** Enqueues the kernel under test over all keys. */
  void run() {
    run(integers(starts(shape.keys())), integers(shape.offsets()));
  }

  private void run(DeviceTensor keyStarts, DeviceTensor offsets) {
    prefill.attention(
        q,
        kv,
        kRope,
        queryStarts,
        keyStarts,
        offsets,
        shape.sizes().nope,
        scale,
        false,
        out,
        logSumExp,
        nextTile,
        stream);
  }

  /** Enqueues the kernel over the keys of one segment from {@code begin} to {@code end}. */
  void runRange(int begin, int end, boolean merge) {
    prefill.attention(
        q,
        rows(kv, begin, end),
        rows(kRope, begin, end),
        queryStarts,
        integers(0, end - begin),
        integers(shape.offsets()[0] - begin),
        shape.sizes().nope,
        scale,
        merge,
        out,
        logSumExp,
        nextTile,
        stream);
  }

  /**
   * One segment's rows computed in chunks of so many, as an engine computes a prompt: a chunk's
   * keys end with its own last row, and are taken in ranges of so many that are merged, those that
   * the chunk's first rows see nothing of too.
   */
  Bits inChunks(int chunk, int range) {
    int total = shape.totalQueries();
    int rowBytes = 2 * shape.heads() * shape.sizes().value;
    poison();
    ByteBuffer sums = ByteBuffer.allocate(4 * shape.heads() * total).order(ByteOrder.nativeOrder());
    for (int begin = 0; begin < total; begin += chunk) {
      int end = Math.min(begin + chunk, total);
      int count = end - begin;
      try (DeviceBuffer chunkSums = context.allocate(4L * shape.heads() * count);
          DeviceBuffer numbers = context.allocate(4L * 5)) {
        for (int first = 0; first < end; first += range) {
          int last = Math.min(first + range, end);
          DecodeProblem.write(
              numbers, new int[] {0, count, 0, last - first, begin - first}, stream);
          prefill.attention(
              rows(q, begin, end),
              rows(kv, first, last),
              rows(kRope, first, last),
              DeviceTensor.of(numbers, 0, ElementType.INT32, 2),
              DeviceTensor.of(numbers, 8, ElementType.INT32, 2),
              DeviceTensor.of(numbers, 16, ElementType.INT32, 1),
              shape.sizes().nope,
              scale,
              first > 0,
              rows(out, begin, end),
              chunkSums.tensor(ElementType.FLOAT32, shape.heads(), count),
              nextTile,
              stream);
        }
        ByteBuffer computed = DecodeProblem.read(chunkSums, stream);
        for (int head = 0; head < shape.heads(); head++) {
          sums.put(4 * (head * total + begin), computed, 4 * head * count, 4 * count);
        }
      }
    }
    return new Bits(outBytes().slice(0, rowBytes * total), sums);
  }

  /** Some rows of a contiguous tensor, one at least. */
  private static DeviceTensor rows(DeviceTensor tensor, int begin, int end) {
    long[] dimensions = new long[tensor.rank()];
    Arrays.setAll(dimensions, tensor::dimension);
    dimensions[0] = Math.max(1, end - begin);
    return DeviceTensor.of(
        tensor.buffer(), 2 * begin * tensor.stride(0), tensor.type(), dimensions);
  }

  ByteBuffer outBytes() {
    return DecodeProblem.read(out.buffer(), stream);
  }

  ByteBuffer logSumExpBytes() {
    return DecodeProblem.read(logSumExp.buffer(), stream);
  }

  /** Poisons, runs twice, compares: what is wrong, empty where nothing is. */
  List<String> complaints() {
    DeviceTensor keyStarts = integers(starts(shape.keys()));
    DeviceTensor offsets = integers(shape.offsets());
    poison();
    run(keyStarts, offsets);
    ByteBuffer actual = outBytes();
    ByteBuffer actualLogSumExp = logSumExpBytes();
    List<String> complaints = new ArrayList<>(compare(actual, actualLogSumExp));
    poison();
    run(keyStarts, offsets);
    if (!outBytes().equals(actual) || !logSumExpBytes().equals(actualLogSumExp)) {
      complaints.add("a second run differs");
    }
    return complaints.isEmpty() ? List.of() : List.of(shape + ": " + complaints);
  }

  /** Compares results over all keys with the plain kernel's; rows of no segment must be NaN. */
  List<String> compare(ByteBuffer actual, ByteBuffer actualLogSumExp) {
    DeviceTensor expected =
        tensor(ElementType.FLOAT32, out.dimension(0), shape.heads(), shape.sizes().value);
    DeviceTensor expectedLogSumExp = tensor(ElementType.FLOAT32, shape.heads(), out.dimension(0));
    expected.buffer().fill(0, expected.buffer().bytes(), NAN_BYTE, stream);
    prefill.reference(
        q,
        kv,
        kRope,
        queryStarts,
        integers(starts(shape.keys())),
        integers(shape.offsets()),
        shape.sizes().nope,
        scale,
        expected,
        expectedLogSumExp,
        stream);
    List<String> complaints = new ArrayList<>();
    complaints.addAll(
        Comparison.ofOutput(
            actual.asShortBuffer(),
            DecodeProblem.read(expected.buffer(), stream).asFloatBuffer(),
            out.buffer().bytes() / 2,
            (long) shape.totalQueries() * shape.heads() * shape.sizes().value,
            TOLERANCE));
    int rows = shape.totalQueries();
    int stride = rows + EXTRA_ROWS;
    ByteBuffer wanted = DecodeProblem.read(expectedLogSumExp.buffer(), stream);
    for (int head = 0; head < shape.heads(); head++) {
      complaints.addAll(
          Comparison.ofLogSumExp(
              floats(actualLogSumExp, head * stride, rows),
              floats(wanted, head * stride, rows),
              TOLERANCE));
      for (int extra = 0; extra < EXTRA_ROWS; extra++) {
        if (!Float.isNaN(actualLogSumExp.getFloat(4 * (head * stride + rows + extra)))) {
          complaints.add("a log-sum-exp past the last segment was written");
        }
      }
    }
    return complaints;
  }

  private static FloatBuffer floats(ByteBuffer bytes, int first, int count) {
    return bytes.slice(4 * first, 4 * count).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }

  @Override
  public void close() {
    stream.synchronize();
    try {
      for (AutoCloseable resource : open) {
        resource.close();
      }
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
