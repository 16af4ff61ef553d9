package dev.sparkmla.kvcache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PrefixIndexTest {
  private final PrefixIndex index = new PrefixIndex(64);
  private final int[] tokens = IntStream.range(0, 200).toArray();

  @Test
  void findsABlockByPredecessorAndTokens() {
    index.add(PrefixIndex.ROOT, tokens, 0, 5);
    index.add(5, tokens, 64, 3);

    assertThat(index.find(PrefixIndex.ROOT, tokens, 0)).hasValue(5);
    assertThat(index.find(5, tokens, 64)).hasValue(3);
    assertThat(index.find(5, tokens, 65)).isEmpty();
    assertThat(index.find(PrefixIndex.ROOT, tokens, 64)).isEmpty();
    assertThat(index.find(3, tokens, 128)).isEmpty();
  }

  @Test
  void keepsTheBlockItKnowsForEqualTokens() {
    index.add(PrefixIndex.ROOT, tokens, 0, 5);

    assertThat(index.add(PrefixIndex.ROOT, tokens.clone(), 0, 6)).isEqualTo(5);
    assertThat(index.contains(6)).isFalse();
    assertThat(index.size()).isEqualTo(1);
  }

  @Test
  void tellsTokensOfEqualHashApart() {
    // Arrays.hashCode cannot tell {0, 31} from {1, 0}.
    int[] one = new int[64];
    one[63] = 31;
    int[] other = new int[64];
    other[62] = 1;
    index.add(PrefixIndex.ROOT, one, 0, 0);

    assertThat(index.find(PrefixIndex.ROOT, other, 0)).isEmpty();
    index.add(PrefixIndex.ROOT, other, 0, 1);
    assertThat(index.find(PrefixIndex.ROOT, one, 0)).hasValue(0);
    assertThat(index.find(PrefixIndex.ROOT, other, 0)).hasValue(1);
  }

  @Test
  void keepsItsOwnCopyOfTheTokens() {
    int[] changing = tokens.clone();
    index.add(PrefixIndex.ROOT, changing, 0, 5);
    changing[0] = 99;

    assertThat(index.find(PrefixIndex.ROOT, tokens, 0)).hasValue(5);
    assertThat(index.find(PrefixIndex.ROOT, changing, 0)).isEmpty();
  }

  @Test
  void forgetsABlock() {
    index.add(PrefixIndex.ROOT, tokens, 0, 5);
    index.add(5, tokens, 64, 3);

    assertThatThrownBy(() -> index.remove(5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("followed");
    index.remove(3);
    index.remove(5);
    assertThat(index.size()).isZero();
    assertThat(index.find(PrefixIndex.ROOT, tokens, 0)).isEmpty();
    assertThatThrownBy(() -> index.remove(5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("not indexed");
  }

  @Test
  void refusesAnUnknownPredecessorAndAnIndexedBlock() {
    assertThatThrownBy(() -> index.add(4, tokens, 0, 5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("block 4");
    index.add(PrefixIndex.ROOT, tokens, 0, 5);
    assertThatThrownBy(() -> index.add(PrefixIndex.ROOT, tokens, 1, 5))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("other content");
  }

  @Test
  void refusesFewerThan64Tokens() {
    assertThatThrownBy(() -> index.find(PrefixIndex.ROOT, tokens, 137))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }
}
