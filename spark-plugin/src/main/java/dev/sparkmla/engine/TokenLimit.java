package dev.sparkmla.engine;

/** How many tokens a request lets the model generate. */
public sealed interface TokenLimit {
  /** The new tokens that a prompt has to leave room for. */
  int reserved();

  /**
   * The limit where only so many tokens can follow the prompt.
   *
   * @param room at least 1
   */
  int within(int room);

  /**
   * A number of tokens.
   *
   * @param tokens at least 1
   */
  record AtMost(int tokens) implements TokenLimit {
    @Override
    public int reserved() {
      return tokens;
    }

    @Override
    public int within(int room) {
      return Math.min(tokens, room);
    }
  }

  /** As many as the context window and the cache have room for after the prompt. */
  record Auto() implements TokenLimit {
    @Override
    public int reserved() {
      return 1;
    }

    @Override
    public int within(int room) {
      return room;
    }
  }
}
