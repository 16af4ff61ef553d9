package dev.sparkmla.cuda;

import dev.sparkmla.kvcache.CacheShape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * One decode call on random data, hostile wherever the contract allows: pages are shuffled, tokens
 * past a sequence's end are NaN, so are pages that nobody owns, unused table entries point nowhere,
 * outputs start as NaN. Fails if the plain kernel disagrees.
 */
final class DecodeProblem implements AutoCloseable {
  private static final int UNUSED_ENTRY = 2147480000;
  private static final byte NAN_BYTE = (byte) 0xFF; // both bfloat16 and float32 of these are NaN

  /** One latent head of the sizes that DeepSeek's models have, 512 + 64, with balanced splits. */
  static MlaShape deepSeek(int batch, int queryTokens, int queryHeads, int maxBlocks) {
    return new MlaShape(
        batch, queryTokens, queryHeads, 1, 512, 64, maxBlocks, SplitPolicy.BALANCED);
  }

  /** Extra heads between one query token and the next, in q and in out. */
  record Padding(int queryHeads, int outHeads) {
    static final Padding NONE = new Padding(0, 0);
  }

  private final MlaDecode decode;
  private final CudaStream stream;
  private final List<AutoCloseable> open = new ArrayList<>();
  final MlaShape shape;
  final boolean causal;
  final int[] lengths;
  final int[][] pages;
  final float scale;
  final DeviceTensor q;
  final PagedCache cache;
  final DeviceTensor blockTable;
  final DeviceTensor out;
  final DeviceTensor logSumExp;
  final MlaMetadata metadata;

  DecodeProblem(
      MlaDecode decode,
      CudaContext context,
      CudaStream stream,
      RandomPool pool,
      MlaShape wanted,
      int[] lengths,
      boolean causal,
      Padding padding,
      Random random) {
    this.decode = decode;
    this.stream = stream;
    this.causal = causal;
    this.lengths = lengths;
    int[] counts = Arrays.stream(lengths).map(length -> (length + 63) / 64).toArray();
    int total = Arrays.stream(counts).sum() + 2;
    shape =
        new MlaShape(
            wanted.batch(),
            wanted.queryTokens(),
            wanted.queryHeads(),
            wanted.kvHeads(),
            wanted.latentDim(),
            wanted.ropeDim(),
            Arrays.stream(counts).max().orElseThrow() + 1,
            wanted.splits());
    scale = (float) (1 / Math.sqrt(shape.keyDim()));

    q = attention(context, shape.keyDim(), padding.queryHeads());
    pool.fill(q.buffer(), 0, q.buffer().bytes(), random, stream);
    out = attention(context, shape.latentDim(), padding.outHeads());
    logSumExp =
        tensor(
            context, ElementType.FLOAT32, shape.batch(), shape.queryHeads(), shape.queryTokens());
    DeviceTensor keys =
        tensor(context, ElementType.BFLOAT16, total, 64, shape.kvHeads(), shape.keyDim());
    pool.fill(keys.buffer(), 0, keys.buffer().bytes(), random, stream);
    cache = new PagedCache(keys, CacheShape.of(shape.latentDim(), shape.ropeDim()));

    List<Integer> shuffled = new ArrayList<>(IntStream.range(0, total).boxed().toList());
    Collections.shuffle(shuffled, random);
    int[] table = new int[shape.batch() * shape.maxBlocks()];
    Arrays.fill(table, UNUSED_ENTRY);
    pages = new int[shape.batch()][];
    long tokenBytes = 2L * shape.kvHeads() * shape.keyDim();
    int next = 0;
    for (int sequence = 0; sequence < shape.batch(); sequence++) {
      pages[sequence] =
          shuffled.subList(next, next + counts[sequence]).stream().mapToInt(p -> p).toArray();
      next += counts[sequence];
      System.arraycopy(pages[sequence], 0, table, sequence * shape.maxBlocks(), counts[sequence]);
      int used = lengths[sequence] % 64;
      if (used > 0) {
        long last = pages[sequence][counts[sequence] - 1];
        keys.buffer()
            .fill((last * 64 + used) * tokenBytes, (64 - used) * tokenBytes, NAN_BYTE, stream);
      }
    }
    for (int page : shuffled.subList(next, total)) {
      keys.buffer().fill(page * 64L * tokenBytes, 64 * tokenBytes, NAN_BYTE, stream);
    }
    blockTable = tensor(context, ElementType.INT32, shape.batch(), shape.maxBlocks());
    write(blockTable.buffer(), table, stream);
    metadata = keep(decode.metadata(shape));
    metadata.update(lengths, stream);
  }

  private DeviceTensor attention(CudaContext context, int elements, int extraHeads) {
    long heads = (long) shape.queryHeads() + extraHeads;
    long count = heads * shape.batch() * shape.queryTokens() * elements;
    DeviceBuffer buffer = keep(context.allocate(2 * count));
    return DeviceTensor.strided(
        buffer,
        0,
        ElementType.BFLOAT16,
        new long[] {shape.batch(), shape.queryTokens(), shape.queryHeads(), elements},
        new long[] {shape.queryTokens() * heads * elements, heads * elements, elements, 1});
  }

  private DeviceTensor tensor(CudaContext context, ElementType type, long... dimensions) {
    long count = Arrays.stream(dimensions).reduce(1, Math::multiplyExact);
    return keep(context.allocate(count * type.bytes())).tensor(type, dimensions);
  }

  private <T extends AutoCloseable> T keep(T resource) {
    open.add(resource);
    return resource;
  }

  static void write(DeviceBuffer buffer, int[] values, CudaStream stream) {
    ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.nativeOrder());
    bytes.asIntBuffer().put(values);
    buffer.copyFromHost(0, bytes, stream);
  }

  static ByteBuffer read(DeviceBuffer buffer, CudaStream stream) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(Math.toIntExact(buffer.bytes())).order(ByteOrder.nativeOrder());
    buffer.copyToHost(0, bytes, stream);
    return bytes;
  }

  /** Sets the outputs to NaN, so that what the kernel leaves unwritten shows. */
  void poison() {
    out.buffer().fill(0, out.buffer().bytes(), NAN_BYTE, stream);
    logSumExp.buffer().fill(0, logSumExp.buffer().bytes(), NAN_BYTE, stream);
  }

  /** Enqueues the kernel under test. */
  void run() {
    run(metadata);
  }

  /** The same where so many tokens of each sequence are known to be there. */
  void runSettled(DeviceTensor tokens) {
    run(metadata.settled(tokens));
  }

  private void run(MlaMetadata schedule) {
    decode.withKvCache(
        q,
        cache,
        blockTable,
        metadata.cacheSeqlens(),
        shape.latentDim(),
        schedule,
        scale,
        causal,
        out,
        logSumExp,
        stream);
  }

  ByteBuffer outBytes() {
    return read(out.buffer(), stream);
  }

  ByteBuffer logSumExpBytes() {
    return read(logSumExp.buffer(), stream);
  }

  /** Poisons, runs, compares with the plain kernel: what is wrong, empty where nothing is. */
  List<String> complaints(CudaContext context) {
    poison();
    run();
    ByteBuffer actual = outBytes();
    ByteBuffer actualLogSumExp = logSumExpBytes();
    ByteBuffer expected;
    ByteBuffer expectedLogSumExp;
    long count = out.buffer().bytes() / 2;
    try (DeviceBuffer referenceOut = context.allocate(4 * count);
        DeviceBuffer referenceLogSumExp = context.allocate(logSumExp.buffer().bytes())) {
      referenceOut.fill(0, referenceOut.bytes(), NAN_BYTE, stream);
      decode.reference(
          shape,
          q,
          cache,
          blockTable,
          metadata.cacheSeqlens(),
          scale,
          causal,
          DeviceTensor.strided(
              referenceOut,
              0,
              ElementType.FLOAT32,
              new long[] {
                shape.batch(), shape.queryTokens(), shape.queryHeads(), shape.latentDim()
              },
              new long[] {out.stride(0), out.stride(1), out.stride(2), 1}),
          referenceLogSumExp.tensor(
              ElementType.FLOAT32, shape.batch(), shape.queryHeads(), shape.queryTokens()),
          stream);
      expected = read(referenceOut, stream);
      expectedLogSumExp = read(referenceLogSumExp, stream);
    }
    List<String> complaints = new ArrayList<>();
    long rowElements = out.stride(1);
    long usedElements = (long) shape.queryHeads() * shape.latentDim();
    complaints.addAll(
        Comparison.ofOutput(
            actual.asShortBuffer(),
            expected.asFloatBuffer(),
            rowElements,
            usedElements,
            Comparison.FLASH_MLA));
    complaints.addAll(
        Comparison.ofLogSumExp(
            actualLogSumExp.asFloatBuffer(),
            expectedLogSumExp.asFloatBuffer(),
            Comparison.FLASH_MLA));
    if (count < 1 << 21) {
      poison();
      run();
      if (!outBytes().equals(actual) || !logSumExpBytes().equals(actualLogSumExp)) {
        complaints.add("a second run differs");
      }
    }
    return complaints.isEmpty()
        ? List.of()
        : List.of(
            "%s causal=%s lengths=%s: %s".formatted(shape, causal, brief(lengths), complaints));
  }

  private static String brief(int[] lengths) {
    return lengths.length <= 8
        ? Arrays.toString(lengths)
        : Arrays.toString(Arrays.copyOf(lengths, 8)) + "...";
  }

  /** Lengths of a batch: all alike, or drawn from N(mean, mean / 2) and at least {@code least}. */
  static int[] lengths(int batch, int mean, int least, boolean varied, Random random) {
    return IntStream.range(0, batch)
        .map(
            i -> varied ? Math.max(least, (int) (mean + mean / 2.0 * random.nextGaussian())) : mean)
        .toArray();
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
