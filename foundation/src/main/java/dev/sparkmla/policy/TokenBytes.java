package dev.sparkmla.policy;

import java.util.Arrays;

/**
 * The bytes that each token of a vocabulary adds to a text. A token without bytes (a special one,
 * an id that no token has) cannot be a part of a constrained answer.
 *
 * <p>Immutable and thread-safe.
 */
public final class TokenBytes {
  private final int[] offsets;
  private final byte[] bytes;

  /**
   * Takes the bytes of all tokens, one after another.
   *
   * @param offsets [vocabulary + 1]: token {@code t} has the bytes from {@code offsets[t]}
   *     (inclusive) to {@code offsets[t + 1]} (exclusive)
   * @param bytes [offsets[vocabulary]]
   * @throws IllegalArgumentException when the offsets fall, do not begin with 0, or do not end with
   *     the number of bytes
   */
  public TokenBytes(int[] offsets, byte[] bytes) {
    this.offsets = offsets.clone();
    this.bytes = bytes.clone();
    check();
  }

  private void check() {
    boolean whole =
        offsets.length >= 1 && offsets[0] == 0 && offsets[offsets.length - 1] == bytes.length;
    for (int i = 1; whole && i < offsets.length; i++) {
      whole = offsets[i] >= offsets[i - 1];
    }
    if (!whole) {
      throw new IllegalArgumentException(
          "the offsets of the tokens' bytes must rise from 0 to "
              + bytes.length
              + ", are "
              + (offsets.length > 8
                  ? offsets.length + " numbers to " + offsets[offsets.length - 1]
                  : Arrays.toString(offsets)));
    }
  }

  /**
   * The same tokens in a vocabulary of another size, whose further ids have no bytes.
   *
   * @param vocabulary the number of ids
   * @throws IllegalArgumentException when it is smaller than this vocabulary
   */
  public TokenBytes padded(int vocabulary) {
    if (vocabulary < vocabulary()) {
      throw new IllegalArgumentException(
          "a vocabulary of " + vocabulary + " cannot hold " + vocabulary() + " tokens");
    }
    int[] more = Arrays.copyOf(offsets, vocabulary + 1);
    Arrays.fill(more, offsets.length, more.length, bytes.length);
    return new TokenBytes(more, bytes);
  }

  /** The number of ids. */
  public int vocabulary() {
    return offsets.length - 1;
  }

  /** How many bytes a token has. */
  public int length(int token) {
    return offsets[token + 1] - offsets[token];
  }

  /** One byte of a token, at an index from 0 to its length (exclusive). */
  public byte at(int token, int index) {
    return bytes[offsets[token] + index];
  }

  /** A copy of the place of each token's first byte, [vocabulary + 1]. */
  public int[] offsets() {
    return offsets.clone();
  }

  /** A copy of the bytes of all tokens, [offsets[vocabulary]]. */
  public byte[] bytes() {
    return bytes.clone();
  }
}
