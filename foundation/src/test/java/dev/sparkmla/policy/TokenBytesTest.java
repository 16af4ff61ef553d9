package dev.sparkmla.policy;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class TokenBytesTest {
  /** A vocabulary of such texts. */
  static TokenBytes of(String... tokens) {
    int[] offsets = new int[tokens.length + 1];
    for (int i = 0; i < tokens.length; i++) {
      offsets[i + 1] = offsets[i] + tokens[i].getBytes(StandardCharsets.UTF_8).length;
    }
    return new TokenBytes(offsets, String.join("", tokens).getBytes(StandardCharsets.UTF_8));
  }

  @Test
  void holdsTheBytesOfEachToken() {
    TokenBytes tokens = of("ab", "", "é");

    assertThat(tokens.vocabulary()).isEqualTo(3);
    assertThat(tokens.length(0)).isEqualTo(2);
    assertThat(tokens.length(1)).isZero();
    assertThat(tokens.at(0, 1)).isEqualTo((byte) 'b');
    assertThat(tokens.at(2, 0)).isEqualTo((byte) 0xC3);
    assertThat(tokens.offsets()).containsExactly(0, 2, 2, 4);
    assertThat(tokens.bytes()).hasSize(4);
  }

  @Test
  void furtherIdsHaveNoBytes() {
    TokenBytes padded = of("ab", "c").padded(4);

    assertThat(padded.vocabulary()).isEqualTo(4);
    assertThat(padded.at(1, 0)).isEqualTo((byte) 'c');
    assertThat(padded.length(2)).isZero();
    assertThat(padded.length(3)).isZero();
    assertThatThrownBy(() -> padded.padded(3))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a vocabulary of 3 cannot hold 4 tokens");
  }

  @Test
  void refusesOffsetsThatDoNotRise() {
    for (int[] offsets : new int[][] {{}, {1, 2}, {0, 1}, {0, 3, 2}}) {
      assertThatThrownBy(() -> new TokenBytes(offsets, new byte[2]))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("must rise from 0 to 2");
    }
  }
}
