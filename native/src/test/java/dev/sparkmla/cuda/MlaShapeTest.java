package dev.sparkmla.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class MlaShapeTest {
  @Test
  void describesItsKeysAndLengths() {
    MlaShape shape = new MlaShape(4, 1, 16, 1, 256, 32, 10, SplitPolicy.BALANCED);
    assertThat(shape.keyDim()).isEqualTo(288);
    assertThat(shape.maxTokens()).isEqualTo(640);
    assertThat(shape.withSplits(SplitPolicy.BY_LENGTH))
        .isEqualTo(new MlaShape(4, 1, 16, 1, 256, 32, 10, SplitPolicy.BY_LENGTH));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 1, 16, 1, 512, 64, 4, batch must be 1 to 65535; is 0",
    "-3, 1, 16, 1, 512, 64, 4, batch must be 1 to 65535; is -3",
    "65536, 1, 16, 1, 512, 64, 4, is 65536",
    "1, 0, 16, 1, 512, 64, 4, (s_q) must be at least 1; are 0",
    "1, 1, 0, 1, 512, 64, 4, (h_q) must be at least 1; are 0",
    "1, 1, 16, 0, 512, 64, 4, (h_kv) must be 1 to 65535; are 0",
    "1, 1, 16, 3, 512, 64, 4, (h_q = 16) must be a multiple of key/value heads (h_kv = 3)",
    "1, 600, 128, 1, 512, 64, 4, is 76800",
    "1, 1, 16, 1, 0, 64, 4, latent dimension must be positive; is 0",
    "1, 1, 16, 1, 512, -64, 4, rope dimension must be positive; is -64",
    "1, 1, 16, 1, 512, 64, 0, are 0",
    "1, 1, 16, 1, 512, 64, 33554432, are 33554432",
  })
  void refusesAndNamesWhatIsOutOfRange(
      int batch,
      int queryTokens,
      int heads,
      int kvHeads,
      int latent,
      int rope,
      int blocks,
      String said) {
    assertThatThrownBy(
            () ->
                new MlaShape(
                    batch, queryTokens, heads, kvHeads, latent, rope, blocks, SplitPolicy.BALANCED))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessageContaining(said.replace(';', ','));
  }

  @Test
  void checksLengths() {
    MlaShape shape = DecodeProblem.deepSeek(3, 1, 16, 2);
    shape.checkLengths(new int[] {0, 128, 64});

    assertThatThrownBy(() -> shape.checkLengths(new int[] {1, 2}))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessage("2 lengths for a batch of 3 sequences");
    assertThatThrownBy(() -> shape.checkLengths(new int[] {1, -2, 3}))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessage("sequence 1 has a negative length, -2");
    assertThatThrownBy(() -> shape.checkLengths(new int[] {1, 2, 129}))
        .isInstanceOf(CudaArgumentException.class)
        .hasMessage("sequence 2 has 129 tokens, but the block table's 2 columns hold 128");
  }
}
