package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import dev.sparkmla.kvcache.CacheShape;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Every argument that is refused before anything is launched. */
class MlaDecodeTest {
  private static final int BLOCKS = 50;

  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final MlaDecode decode = new MlaDecode(context);

  // Batch 3, s_q 2, h_q 16, block table of 7 columns.
  private final MlaShape shape = DecodeProblem.deepSeek(3, 2, 16, 7);
  private DeviceTensor q = memory.tensor(ElementType.BFLOAT16, 3, 2, 16, 576);
  private PagedCache cache = PagedCache.of(memory, 0, CacheShape.of(512, 64), BLOCKS);
  private DeviceTensor blockTable = memory.tensor(ElementType.INT32, 3, 7);
  private DeviceTensor cacheSeqlens = memory.tensor(ElementType.INT32, 3);
  private int headDimV = 512;
  private float softmaxScale = 1 / 24f;
  private boolean causal;
  private DeviceTensor out = memory.tensor(ElementType.BFLOAT16, 3, 2, 16, 512);
  private DeviceTensor logSumExp = memory.tensor(ElementType.FLOAT32, 3, 16, 2);

  private long[] check() {
    return decode.check(
        shape,
        ElementType.BFLOAT16,
        q,
        cache,
        blockTable,
        cacheSeqlens,
        headDimV,
        softmaxScale,
        causal,
        out,
        logSumExp);
  }

  private void refuses(String... said) {
    assertThatThrownBy(this::check)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContainingAll(said);
  }

  @Test
  void handsOverTheSplitPolicy() {
    assertThat(MlaMetadata.fields(shape)[NativeDecode.SPLIT_POLICY])
        .isEqualTo(NativeDecode.SPLIT_BALANCED);
    assertThat(
            MlaMetadata.fields(shape.withSplits(SplitPolicy.BY_LENGTH))[NativeDecode.SPLIT_POLICY])
        .isEqualTo(NativeDecode.SPLIT_BY_LENGTH);
  }

  @Test
  void handsOverSizesAddressesAndStrides() {
    causal = true;
    q = DeviceTensor.of(memory, 32, ElementType.BFLOAT16, 3, 2, 16, 576);

    long[] fields = check();

    assertThat(fields[NativeDecode.FLAGS]).isEqualTo(NativeDecode.CAUSAL);
    assertThat(fields[NativeDecode.BATCH]).isEqualTo(3);
    assertThat(fields[NativeDecode.S_Q]).isEqualTo(2);
    assertThat(fields[NativeDecode.H_Q]).isEqualTo(16);
    assertThat(fields[NativeDecode.H_KV]).isEqualTo(1);
    assertThat(fields[NativeDecode.LATENT_DIM]).isEqualTo(512);
    assertThat(fields[NativeDecode.ROPE_DIM]).isEqualTo(64);
    assertThat(fields[NativeDecode.MAX_BLOCKS]).isEqualTo(7);
    assertThat(fields[NativeDecode.CACHE_BLOCKS]).isEqualTo(BLOCKS);
    assertThat(Float.intBitsToFloat((int) fields[NativeDecode.SOFTMAX_SCALE]))
        .isEqualTo(softmaxScale);
    assertThat(fields[NativeDecode.Q]).isEqualTo(memory.address() + 32);
    assertThat(fields[NativeDecode.Q_STRIDE_BATCH]).isEqualTo(2 * 16 * 576);
    assertThat(fields[NativeDecode.Q_STRIDE_TOKEN]).isEqualTo(16 * 576);
    assertThat(fields[NativeDecode.Q_STRIDE_HEAD]).isEqualTo(576);
    assertThat(fields[NativeDecode.K_CACHE_STRIDE_BLOCK]).isEqualTo(64 * 576);
    assertThat(fields[NativeDecode.BLOCK_TABLE_STRIDE]).isEqualTo(7);
    assertThat(fields[NativeDecode.OUT_STRIDE_HEAD]).isEqualTo(512);
    assertThat(fields[NativeDecode.LSE]).isEqualTo(memory.address());
  }

  @Test
  void takesHeadsOutOfALargerProjection() {
    q =
        DeviceTensor.strided(
            memory,
            0,
            ElementType.BFLOAT16,
            new long[] {3, 2, 16, 576},
            new long[] {2 * 24 * 576, 24 * 576, 576, 1});
    assertThat(check()[NativeDecode.Q_STRIDE_TOKEN]).isEqualTo(24 * 576);
  }

  @Test
  void refusesTheWrongElementType() {
    q = memory.tensor(ElementType.FLOAT32, 3, 2, 16, 576);
    refuses("q must be bfloat16", "is float32 [3, 2, 16, 576]");
  }

  @Test
  void refusesIntegersWhereAreNone() {
    blockTable = memory.tensor(ElementType.FLOAT32, 3, 7);
    refuses("blockTable must be int32", "is float32 [3, 7]");
  }

  @Test
  void refusesAFloatOutput() {
    out = memory.tensor(ElementType.FLOAT32, 3, 2, 16, 512);
    refuses("out must be bfloat16");
  }

  @Test
  void refusesQueriesOfAnotherShape() {
    q = memory.tensor(ElementType.BFLOAT16, 3, 2, 20, 576);
    refuses("q must have the shape [3, 2, 16, 576]", "[3, 2, 20, 576]");
    q = memory.tensor(ElementType.BFLOAT16, 3 * 2, 16, 576);
    refuses("q must have the shape [3, 2, 16, 576]", "[6, 16, 576]");
  }

  @Test
  void refusesPagesOfAnotherSize() {
    cache = PagedCache.of(memory, 0, CacheShape.of(256, 64), BLOCKS);
    refuses("cache must have the shape [50, 64, 1, 576]", "[50, 64, 1, 320]");
  }

  @Test
  void refusesATableTooNarrow() {
    blockTable = memory.tensor(ElementType.INT32, 3, 6);
    refuses("blockTable must have the shape [3, 7]", "[3, 6]");
  }

  @Test
  void refusesTableRowsThatOverlap() {
    blockTable =
        DeviceTensor.strided(memory, 0, ElementType.INT32, new long[] {3, 7}, new long[] {5, 1});
    refuses("blockTable's rows overlap", "stride 5 for 7 columns");
  }

  @Test
  void refusesTheWrongNumberOfLengths() {
    cacheSeqlens = memory.tensor(ElementType.INT32, 4);
    refuses("cacheSeqlens must have the shape [3]", "[4]");
  }

  @Test
  void refusesAValueSizeThatIsNotTheLatent() {
    headDimV = 576;
    refuses("headDimV must be the latent dimension 512, is 576");
  }

  @Test
  void refusesALogSumExpInAnotherOrder() {
    logSumExp = memory.tensor(ElementType.FLOAT32, 3, 2, 16);
    refuses("logSumExp must have the shape [3, 16, 2]", "[3, 2, 16]");
    logSumExp =
        DeviceTensor.strided(
            memory, 0, ElementType.FLOAT32, new long[] {3, 16, 2}, new long[] {32, 1, 16});
    refuses("logSumExp must be contiguous", "stride 2 is 16");
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, -0.0f})
  void refusesAScaleThatIsNone(float scale) {
    softmaxScale = scale;
    refuses("softmaxScale must be positive and finite, is " + scale);
  }

  @Test
  void refusesMisalignedAddresses() {
    q = DeviceTensor.of(memory, 8, ElementType.BFLOAT16, 3, 2, 16, 576);
    refuses("q must start at a multiple of 16 bytes", "0x100008");
    q = memory.tensor(ElementType.BFLOAT16, 3, 2, 16, 576);
    cacheSeqlens = DeviceTensor.of(memory, 2, ElementType.INT32, 3);
    refuses("cacheSeqlens must start at a multiple of 4 bytes");
  }

  @Test
  void refusesStridesThatCannotBeLoaded() {
    q =
        DeviceTensor.strided(
            memory,
            0,
            ElementType.BFLOAT16,
            new long[] {3, 2, 16, 576},
            new long[] {2 * 16 * 580, 16 * 580, 580, 1});
    refuses("q's stride 2", "is 580");
    q =
        DeviceTensor.strided(
            memory,
            0,
            ElementType.BFLOAT16,
            new long[] {3, 2, 16, 576},
            new long[] {18432, 9216, 568, 1});
    refuses("q's stride 2 must be a multiple of 8 and at least 576, is 568");
    q =
        DeviceTensor.strided(
            memory,
            0,
            ElementType.BFLOAT16,
            new long[] {3, 2, 16, 576},
            new long[] {36864, 18432, 1152, 2});
    refuses("q's last dimension must be contiguous");
  }

  @Test
  void refusesMemoryOfAnotherContext() {
    CudaContext other = FakeDevice.context();
    cache = PagedCache.of(FakeDevice.buffer(other), 0, CacheShape.of(512, 64), BLOCKS);
    refuses("cache belongs to another context");
  }

  @Test
  void refusesABufferThatIsClosed() {
    DeviceBuffer closed = FakeDevice.buffer(context);
    out = closed.tensor(ElementType.BFLOAT16, 3, 2, 16, 512);
    closed.close();
    assertThatThrownBy(this::check)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void refusesLengthsBeforeTheyReachTheDevice() {
    MlaMetadata metadata = MlaMetadata.over(memory, shape);
    assertThatThrownBy(() -> metadata.update(new int[] {7 * 64 + 1, 0, 0}, null))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("sequence 0 has 449 tokens")
        .hasMessageContaining("hold 448");
    assertThatThrownBy(() -> metadata.update(new int[] {5, 5, -1}, null))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("sequence 2 has a negative length, -1");
    assertThatThrownBy(() -> metadata.update(memory.tensor(ElementType.INT32, 2), null))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining("cacheSeqlens must have the shape [3]");
  }

  @Test
  void metadataRefusesAShapeThatItHasNoRoomFor() {
    MlaShape made = DecodeProblem.deepSeek(8, 1, 16, 100);
    MlaMetadata metadata = MlaMetadata.over(memory, made);
    for (MlaShape other :
        List.of(
            DecodeProblem.deepSeek(9, 1, 16, 100),
            DecodeProblem.deepSeek(8, 1, 16, 101),
            DecodeProblem.deepSeek(8, 2, 16, 100),
            DecodeProblem.deepSeek(8, 1, 8, 100),
            made.withSplits(SplitPolicy.BY_LENGTH))) {
      assertThatThrownBy(() -> metadata.withShape(other))
          .isInstanceOf(CudaArgumentException.class)
          .hasMessageContaining("metadata for " + made + " has no room for " + other);
    }
  }

  @Test
  void refusesADeviceThatIsNotHopperByName() {
    CudaContext ampere = new CudaContext(FakeDevice.device(8, 0), null);
    assertThatThrownBy(() -> MlaDecode.on(ampere))
        .isInstanceOfSatisfying(
            CudaUnavailableException.class,
            e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED_DEVICE))
        .hasMessageContaining("NVIDIA A100")
        .hasMessageContaining("8.0")
        .hasMessageContaining("9.0");
  }
}
