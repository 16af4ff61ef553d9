package dev.sparkmla.text.jinja;

import java.util.concurrent.CancellationException;

/**
 * What one rendering may use: steps, characters of text and items of lists it makes, and depth. A
 * template comes with a model and may hold anything; without limits one of three lines keeps a
 * thread for years or fills the heap. Published templates stay far below: none goes deeper than 30
 * levels, and a conversation that fills a model's window is a few million characters. For one
 * thread.
 */
final class Budget {
  /** Expressions and loop turns evaluated: a second or two. */
  static final long MOST_STEPS = 50_000_000;

  /** Characters made, of intermediate values too. */
  static final long MOST_CHARACTERS = 64L << 20;

  /** Expressions, blocks, macro calls and values within each other; a thread's stack bears it. */
  static final int DEEPEST = 200;

  /** What an item of a list costs beside its own text: about the memory it takes. */
  private static final long CHARACTERS_OF_ITEM = 16;

  /** Characters that are read, compared or copied in the time of one step. */
  private static final long CHARACTERS_OF_STEP = 32;

  private static final long STEPS_BETWEEN_CHECKS = 1 << 12;

  private long steps;
  private long checked;
  private long characters;
  private int depth;

  /**
   * Counts steps.
   *
   * @throws CancellationException when the thread was interrupted, which stays set
   */
  void steps(long count) {
    steps += count;
    if (steps > MOST_STEPS) {
      throw TemplateException.fault("takes more than " + MOST_STEPS + " steps");
    }
    if (steps - checked >= STEPS_BETWEEN_CHECKS) {
      checked = steps;
      if (Thread.currentThread().isInterrupted()) {
        throw new CancellationException("rendering a chat template was interrupted");
      }
    }
  }

  /** Counts the reading of a text. */
  void reads(long length) {
    steps(length / CHARACTERS_OF_STEP);
  }

  /** Counts text that is about to be made. */
  void makes(long length) {
    characters += Math.min(length, MOST_CHARACTERS + 1);
    if (characters > MOST_CHARACTERS) {
      throw TemplateException.fault(
          "makes more than " + MOST_CHARACTERS + " characters of texts and lists");
    }
  }

  /** Counts items of a list that is about to be made. */
  void makesItems(long count) {
    makes(Math.min(count, MOST_CHARACTERS) * CHARACTERS_OF_ITEM);
  }

  /** Counts a step into a part; {@link #leave} ends it, except where an exception does. */
  void enter() {
    steps(1);
    if (++depth > DEEPEST) {
      throw TemplateException.fault("goes deeper than " + DEEPEST + " levels");
    }
  }

  void leave() {
    depth--;
  }
}
