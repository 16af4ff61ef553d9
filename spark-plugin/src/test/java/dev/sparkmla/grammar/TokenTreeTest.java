package dev.sparkmla.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.sparkmla.policy.TokenBytes;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class TokenTreeTest {
  @Test
  void tokensThatBeginAlikeShareNodes() {
    TokenBytes vocabulary =
        new TokenBytes(
            new int[] {0, 2, 2, 5, 6, 8}, "abab\u007Fcab".getBytes(StandardCharsets.US_ASCII));

    TokenTree tree = new TokenTree(vocabulary);

    List<String> nodes = new ArrayList<>();
    for (int node = 0; node < tree.size(); node++) {
      nodes.add(
          "%c %d %d %s"
              .formatted(tree.value(node), tree.depth(node), tree.end(node), tree.endsToken(node)));
    }
    assertThat(nodes).containsExactly("a 0 3 false", "b 1 3 true", "\u007F 2 3 true", "c 0 4 true");
    assertThat(tree.height()).isEqualTo(3);
  }

  @Test
  void aVocabularyWithoutBytesHasNoNode() {
    TokenTree tree = new TokenTree(new TokenBytes(new int[] {0, 0}, new byte[0]));

    assertThat(tree.size()).isZero();
    assertThat(tree.height()).isZero();
  }
}
