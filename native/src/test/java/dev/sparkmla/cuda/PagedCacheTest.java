package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.sparkmla.kvcache.CacheFormat;
import dev.sparkmla.kvcache.CacheShape;
import org.junit.jupiter.api.Test;

class PagedCacheTest {
  private static final CacheShape SHAPE = CacheShape.of(512, 64);

  private final DeviceBuffer memory = FakeDevice.buffer(FakeDevice.context());

  private void refuses(DeviceTensor elements, CacheShape shape, String message) {
    assertThatThrownBy(() -> new PagedCache(elements, shape))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(message);
  }

  private DeviceTensor tensor(ElementType type, long... dimensions) {
    return memory.tensor(type, dimensions);
  }

  @Test
  void liesWhereItIsSaidTo() {
    PagedCache cache = PagedCache.of(memory, 2 * 576 * 64, SHAPE, 7);
    assertThat(cache.blocks()).isEqualTo(7);
    assertThat(cache.elements().address()).isEqualTo(memory.address() + 2 * 576 * 64);
    assertThat(cache.elements()).hasToString("bfloat16 [7, 64, 1, 576]");
  }

  @Test
  void refusesWhatTheShapeDoesNotSay() {
    refuses(tensor(ElementType.FLOAT32, 7, 64, 1, 576), SHAPE, "cache must be bfloat16");
    refuses(tensor(ElementType.BFLOAT16, 7, 64, 576), SHAPE, "cache must have 4 dimensions");
    refuses(tensor(ElementType.BFLOAT16, 7, 32, 1, 576), SHAPE, "the shape [7, 64, 1, 576]");
    refuses(tensor(ElementType.BFLOAT16, 7, 64, 1, 320), SHAPE, "the shape [7, 64, 1, 576]");
    refuses(
        tensor(ElementType.BFLOAT16, 7, 32, 1, 576),
        new CacheShape(512, 64, CacheFormat.BFLOAT16, 32),
        "the cache has pages of 32 tokens, kernels are built for 64");
  }

  @Test
  void saysWhatItIsBuiltFor() {
    assumeTrue(NativeLibrary.class.getResource(NativeLibrary.RESOURCE) != null);
    assertThat(PagedCache.supports(SHAPE)).isTrue();
    assertThat(PagedCache.supports(CacheShape.of(256, 64))).isTrue();
    assertThat(PagedCache.supports(CacheShape.of(256, 32))).isTrue();
    assertThat(PagedCache.supports(CacheShape.of(512, 32))).isFalse();
    assertThat(PagedCache.supports(CacheShape.of(384, 64))).isFalse();
    assertThat(PagedCache.supports(new CacheShape(512, 64, CacheFormat.BFLOAT16, 32))).isFalse();
  }
}
