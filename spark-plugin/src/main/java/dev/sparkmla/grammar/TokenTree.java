package dev.sparkmla.grammar;

import dev.sparkmla.policy.TokenBytes;
import java.util.Arrays;
import java.util.BitSet;
import java.util.stream.IntStream;

/**
 * The tokens of a vocabulary as a tree of their bytes: tokens that begin alike share nodes, so that
 * all of them are walked at once and left at once. Its nodes stand in preorder. Immutable.
 */
final class TokenTree {
  private final byte[] values;
  private final int[] depths;
  private final int[] ends;
  private final BitSet tokens = new BitSet();
  private int size;

  TokenTree(TokenBytes vocabulary) {
    byte[] bytes = vocabulary.bytes();
    int[] offsets = vocabulary.offsets();
    this.values = new byte[bytes.length];
    this.depths = new int[bytes.length];
    this.ends = new int[bytes.length];
    int[] path = new int[bytes.length];
    int[] sorted =
        IntStream.range(0, vocabulary.vocabulary())
            .boxed()
            .sorted(
                (one, other) ->
                    Arrays.compareUnsigned(
                        bytes,
                        offsets[one],
                        offsets[one + 1],
                        bytes,
                        offsets[other],
                        offsets[other + 1]))
            .mapToInt(Integer::intValue)
            .toArray();
    int depth = 0;
    for (int token : sorted) {
      int length = vocabulary.length(token);
      int shared = 0;
      while (shared < Math.min(depth, length)
          && values[path[shared]] == vocabulary.at(token, shared)) {
        shared++;
      }
      close(path, shared, depth);
      for (depth = shared; depth < length; depth++) {
        path[depth] = size;
        depths[size] = depth;
        values[size++] = vocabulary.at(token, depth);
      }
      if (length > 0) {
        tokens.set(path[length - 1]);
      }
    }
    close(path, 0, depth);
  }

  private void close(int[] path, int from, int to) {
    for (int depth = from; depth < to; depth++) {
      ends[path[depth]] = size;
    }
  }

  /** The number of nodes. */
  int size() {
    return size;
  }

  /** A node's byte. */
  byte value(int node) {
    return values[node];
  }

  /** How many nodes are above a node. */
  int depth(int node) {
    return depths[node];
  }

  /** The first node after those below a node. */
  int end(int node) {
    return ends[node];
  }

  /** Whether a token ends at a node. */
  boolean endsToken(int node) {
    return tokens.get(node);
  }

  /** The length of the longest token. */
  int height() {
    return Arrays.stream(depths, 0, size).max().orElse(-1) + 1;
  }
}
