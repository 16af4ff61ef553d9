package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sparkmla.cuda.CudaUnavailableException.Reason;
import dev.sparkmla.kvcache.CacheShape;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every argument of prefill that is refused before anything is launched. */
class MlaPrefillTest {
  private final CudaContext context = FakeDevice.context();
  private final DeviceBuffer memory = FakeDevice.buffer(context);
  private final MlaPrefill prefill = new MlaPrefill(context);

  // 3 segments, 50 query rows, 70 keys, 16 heads of 128 + 64 and 128.
  private DeviceTensor q = memory.tensor(ElementType.BFLOAT16, 50, 16, 192);
  private DeviceTensor kv = memory.tensor(ElementType.BFLOAT16, 70, 16, 256);
  private DeviceTensor kRope = memory.tensor(ElementType.BFLOAT16, 70, 64);
  private DeviceTensor queryStarts = memory.tensor(ElementType.INT32, 4);
  private DeviceTensor keyStarts = memory.tensor(ElementType.INT32, 4);
  private DeviceTensor queryOffsets = memory.tensor(ElementType.INT32, 3);
  private int nopeDim = 128;
  private float softmaxScale = 0.07f;
  private boolean merge;
  private ElementType outType = ElementType.BFLOAT16;
  private DeviceTensor out = memory.tensor(ElementType.BFLOAT16, 50, 16, 128);
  private DeviceTensor logSumExp = memory.tensor(ElementType.FLOAT32, 16, 50);

  // 40 pages, 3 segments of at most 5 pages, 70 rows.
  private PagedCache cache = PagedCache.of(memory, 0, CacheShape.of(512, 64), 40);
  private DeviceTensor blockTable = memory.tensor(ElementType.INT32, 3, 5);
  private DeviceTensor firstKeys = memory.tensor(ElementType.INT32, 3);
  private DeviceTensor latents = memory.tensor(ElementType.BFLOAT16, 70, 512);
  private DeviceTensor rope = memory.tensor(ElementType.BFLOAT16, 70, 64);

  private long[] check() {
    return prefill.check(
        outType,
        q,
        kv,
        kRope,
        queryStarts,
        keyStarts,
        queryOffsets,
        nopeDim,
        softmaxScale,
        merge,
        out,
        logSumExp);
  }

  private long[] checkGather() {
    return prefill.checkGather(cache, blockTable, keyStarts, firstKeys, latents, rope);
  }

  private static void refuses(ThrowingCallable check, String... said) {
    assertThatThrownBy(check)
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContainingAll(said);
  }

  @Test
  void handsOverSizesAddressesAndStrides() {
    merge = true;
    q = DeviceTensor.of(memory, 32, ElementType.BFLOAT16, 50, 16, 192);
    kRope =
        DeviceTensor.strided(
            memory, 1024, ElementType.BFLOAT16, new long[] {70, 64}, new long[] {576, 1});

    long[] fields = check();

    assertThat(fields[NativePrefill.FLAGS]).isEqualTo(NativePrefill.MERGE);
    assertThat(fields[NativePrefill.SEGMENTS]).isEqualTo(3);
    assertThat(fields[NativePrefill.HEADS]).isEqualTo(16);
    assertThat(fields[NativePrefill.TOTAL_Q]).isEqualTo(50);
    assertThat(fields[NativePrefill.TOTAL_K]).isEqualTo(70);
    assertThat(fields[NativePrefill.NOPE_DIM]).isEqualTo(128);
    assertThat(fields[NativePrefill.ROPE_DIM]).isEqualTo(64);
    assertThat(fields[NativePrefill.VALUE_DIM]).isEqualTo(128);
    assertThat(Float.intBitsToFloat((int) fields[NativePrefill.SOFTMAX_SCALE]))
        .isEqualTo(softmaxScale);
    assertThat(fields[NativePrefill.Q]).isEqualTo(memory.address() + 32);
    assertThat(fields[NativePrefill.Q_STRIDE_TOKEN]).isEqualTo(16 * 192);
    assertThat(fields[NativePrefill.Q_STRIDE_HEAD]).isEqualTo(192);
    assertThat(fields[NativePrefill.KV_STRIDE_TOKEN]).isEqualTo(16 * 256);
    assertThat(fields[NativePrefill.KV_STRIDE_HEAD]).isEqualTo(256);
    assertThat(fields[NativePrefill.K_ROPE]).isEqualTo(memory.address() + 1024);
    assertThat(fields[NativePrefill.K_ROPE_STRIDE_TOKEN]).isEqualTo(576);
    assertThat(fields[NativePrefill.OUT_STRIDE_TOKEN]).isEqualTo(16 * 128);
    assertThat(fields[NativePrefill.LSE]).isEqualTo(memory.address());
  }

  @Test
  void takesTheLargerHeads() {
    nopeDim = 192;
    q = memory.tensor(ElementType.BFLOAT16, 50, 16, 256);
    kv = memory.tensor(ElementType.BFLOAT16, 70, 16, 448);
    out = memory.tensor(ElementType.BFLOAT16, 50, 16, 256);
    assertThat(check()[NativePrefill.VALUE_DIM]).isEqualTo(256);
  }

  @Test
  void saysWhatItIsBuiltFor() {
    assumeTrue(NativeLibrary.class.getResource(NativeLibrary.RESOURCE) != null);
    assertThat(MlaPrefill.supports(128, 64, 128)).isTrue();
    assertThat(MlaPrefill.supports(192, 64, 256)).isTrue();
    assertThat(MlaPrefill.supports(64, 64, 128)).isTrue();
    assertThat(MlaPrefill.supports(64, 32, 64)).isTrue();
    assertThat(MlaPrefill.supports(64, 64, 64)).isFalse();
    assertThat(MlaPrefill.supports(128, 32, 128)).isFalse();
    assertThat(MlaPrefill.supports(0, -64, 1 << 30)).isFalse();
  }

  @Test
  void refusesAKeyWithoutAPartOfItsHead() {
    nopeDim = 0;
    refuses(this::check, "nopeDim must be positive, is 0");
  }

  @Test
  void refusesTheWrongElementType() {
    q = memory.tensor(ElementType.FLOAT32, 50, 16, 192);
    refuses(this::check, "q must be bfloat16", "is float32 [50, 16, 192]");
  }

  @Test
  void refusesAFloatOutput() {
    out = memory.tensor(ElementType.FLOAT32, 50, 16, 128);
    refuses(this::check, "out must be bfloat16");
  }

  @Test
  void refusesTheWrongNumberOfDimensions() {
    q = memory.tensor(ElementType.BFLOAT16, 50, 16 * 192);
    refuses(this::check, "q must have 3 dimensions, is bfloat16 [50, 3072]");
    latents = memory.tensor(ElementType.BFLOAT16, 70, 1, 512);
    refuses(this::checkGather, "latents must have 2 dimensions");
  }

  @Test
  void refusesKeysOfAnotherShape() {
    kv = memory.tensor(ElementType.BFLOAT16, 70, 20, 256);
    refuses(this::check, "kv must have the shape [70, 16, 256]", "[70, 20, 256]");
    kv = memory.tensor(ElementType.BFLOAT16, 70, 16, 128);
    refuses(this::check, "kv must have the shape [70, 16, 256]", "[70, 16, 128]");
  }

  @Test
  void refusesRopeOfOtherKeys() {
    kRope = memory.tensor(ElementType.BFLOAT16, 69, 64);
    refuses(this::check, "kRope must have the shape [70, 64]", "[69, 64]");
  }

  @Test
  void refusesStartsThatDoNotFitTheSegments() {
    queryStarts = memory.tensor(ElementType.INT32, 3);
    refuses(this::check, "queryStarts must have the shape [4]", "[3]");
    queryStarts = memory.tensor(ElementType.INT32, 4);
    keyStarts = memory.tensor(ElementType.INT32, 5);
    refuses(this::check, "keyStarts must have the shape [4]", "[5]");
    refuses(this::checkGather, "keyStarts must have the shape [4]", "[5]");
  }

  @Test
  void refusesALogSumExpInAnotherOrder() {
    logSumExp = memory.tensor(ElementType.FLOAT32, 50, 16);
    refuses(this::check, "logSumExp must have the shape [16, 50]", "[50, 16]");
  }

  @Test
  void refusesMoreThanOneCounterOfTiles() {
    refuses(
        () ->
            prefill.attention(
                q,
                kv,
                kRope,
                queryStarts,
                keyStarts,
                queryOffsets,
                nopeDim,
                softmaxScale,
                merge,
                out,
                logSumExp,
                memory.tensor(ElementType.INT32, 2),
                null),
        "nextTile must have the shape [1]",
        "[2]");
  }

  @ParameterizedTest
  @ValueSource(floats = {0, -1, Float.NaN, Float.POSITIVE_INFINITY})
  void refusesAScaleThatIsNone(float scale) {
    softmaxScale = scale;
    refuses(this::check, "softmaxScale must be positive and finite, is " + scale);
  }

  @Test
  void refusesMisalignedAddresses() {
    kv = DeviceTensor.of(memory, 8, ElementType.BFLOAT16, 70, 16, 256);
    refuses(this::check, "kv must start at a multiple of 16 bytes");
    rope = DeviceTensor.of(memory, 2, ElementType.BFLOAT16, 70, 64);
    refuses(this::checkGather, "rope must start at a multiple of 16 bytes");
  }

  @ParameterizedTest
  @CsvSource({"3100, 192", "3072, 184"})
  void refusesStridesThatCannotBeLoaded(long token, long head) {
    q =
        DeviceTensor.strided(
            memory, 0, ElementType.BFLOAT16, new long[] {50, 16, 192}, new long[] {token, head, 1});
    refuses(this::check, "q's stride");
  }

  @Test
  void refusesMoreKeysThanOneCallTakes() {
    kv =
        DeviceTensor.strided(
            memory,
            0,
            ElementType.BFLOAT16,
            new long[] {MlaPrefill.MAX_KEYS + 1L, 16, 256},
            new long[] {0, 256, 1});
    refuses(this::check, "keys must be at most 1073741824, are 1073741825");
  }

  @Test
  void refusesMemoryOfAnotherContext() {
    DeviceBuffer other = FakeDevice.buffer(FakeDevice.context());
    kRope = other.tensor(ElementType.BFLOAT16, 70, 64);
    refuses(this::check, "kRope belongs to another context");
    latents = other.tensor(ElementType.BFLOAT16, 70, 512);
    refuses(this::checkGather, "latents belongs to another context");
  }

  @Test
  void refusesABufferThatIsClosed() {
    DeviceBuffer closed = FakeDevice.buffer(context);
    out = closed.tensor(ElementType.BFLOAT16, 50, 16, 128);
    closed.close();
    assertThatThrownBy(this::check)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("closed");
  }

  @Test
  void handsOverAGather() {
    latents =
        DeviceTensor.strided(
            memory, 64, ElementType.BFLOAT16, new long[] {70, 512}, new long[] {520, 1});

    long[] fields = checkGather();

    assertThat(fields[NativePrefill.SEGMENTS]).isEqualTo(3);
    assertThat(fields[NativePrefill.TOTAL_K]).isEqualTo(70);
    assertThat(fields[NativePrefill.LATENT_DIM]).isEqualTo(512);
    assertThat(fields[NativePrefill.ROPE_DIM]).isEqualTo(64);
    assertThat(fields[NativePrefill.MAX_BLOCKS]).isEqualTo(5);
    assertThat(fields[NativePrefill.CACHE_BLOCKS]).isEqualTo(40);
    assertThat(fields[NativePrefill.CACHE_STRIDE_BLOCK]).isEqualTo(64 * 576);
    assertThat(fields[NativePrefill.CACHE_STRIDE_TOKEN]).isEqualTo(576);
    assertThat(fields[NativePrefill.BLOCK_TABLE_STRIDE]).isEqualTo(5);
    assertThat(fields[NativePrefill.LATENTS]).isEqualTo(memory.address() + 64);
    assertThat(fields[NativePrefill.LATENTS_STRIDE]).isEqualTo(520);
    assertThat(fields[NativePrefill.ROPE_STRIDE]).isEqualTo(64);
  }

  @Test
  void refusesAGatherFromAnotherCache() {
    cache = PagedCache.of(memory, 0, CacheShape.of(256, 64), 40);
    refuses(this::checkGather, "cache must have the shape [40, 64, 1, 576]", "[40, 64, 1, 320]");
  }

  @Test
  void refusesAGatherOfRowsThatCannotBeCopied() {
    latents = memory.tensor(ElementType.BFLOAT16, 70, 508);
    refuses(this::checkGather, "latents's rows must be a multiple of 8 elements, are 508");
  }

  @Test
  void refusesAGatherWithTheWrongTable() {
    blockTable = memory.tensor(ElementType.INT32, 2, 5);
    refuses(this::checkGather, "blockTable must have the shape [3, 5]", "[2, 5]");
  }

  @Test
  void refusesADeviceThatIsNotHopperByName() {
    CudaContext ampere = new CudaContext(FakeDevice.device(8, 0), null);
    assertThatThrownBy(() -> MlaPrefill.on(ampere))
        .isInstanceOfSatisfying(
            CudaUnavailableException.class,
            e -> assertThat(e.reason()).isEqualTo(Reason.UNSUPPORTED_DEVICE))
        .hasMessageContaining("NVIDIA A100");
  }
}
