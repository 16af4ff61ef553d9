package dev.sparkmla.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class CacheShapeTest {
  @Test
  void countsBytes() {
    CacheShape deepSeek = CacheShape.of(512, 64);

    assertThat(deepSeek.width()).isEqualTo(576);
    assertThat(deepSeek.bytesPerToken()).isEqualTo(1152);
    assertThat(deepSeek.bytesPerBlock()).isEqualTo(64 * 1152);
    assertThat(CacheShape.of(256, 32).bytesPerToken()).isEqualTo(576);
  }

  @Test
  void countsBlocksThatHoldTokens() {
    CacheShape shape = CacheShape.of(512, 64);

    assertThat(shape.blocksFor(0)).isZero();
    assertThat(shape.blocksFor(64)).isEqualTo(1);
    assertThat(shape.blocksFor(65)).isEqualTo(2);
    assertThat(shape.blocksFor(Integer.MAX_VALUE)).isEqualTo(1 << 25);
  }

  @Test
  void findsATokensSlotThroughTheBlockTable() {
    assertThat(CacheShape.of(512, 64).slot(new int[] {7, 3}, 65)).isEqualTo(3 * 64 + 1);
  }

  @Test
  void refusesSizesThatAreNone() {
    assertThatThrownBy(() -> CacheShape.of(0, 64)).hasMessageContaining("latent size 0");
    assertThatThrownBy(() -> CacheShape.of(512, 63)).hasMessageContaining("rope size 63");
    assertThatThrownBy(() -> new CacheShape(512, 64, CacheFormat.BFLOAT16, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("pages of 0 tokens");
  }
}
